"""`python -m blastwall`: the same as the command `blastwall`."""

from blastwall.cli.main import main

if __name__ == "__main__":
    main()
