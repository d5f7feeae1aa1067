"""`python -m blastwall.testing.tds SCRIPT`: a server in a process of its own, for benchmarks.

It runs the batch in the file, prints its port, its password and its authority's file as one line of JSON, and serves
until its input ends. Results are encoded once and repeated, so that the server is not what is measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from blastwall.testing.tds.server import TdsServer


def main() -> int:
    """Serve until the input ends; return the exit code."""
    with TdsServer() as server:
        server.execute(Path(sys.argv[1]).read_text())
        server.engine.repeats = {}
        sys.stdout.write(json.dumps({"port": server.port, "password": server.password, "ca": str(server.ca)}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
