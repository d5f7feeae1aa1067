"""The command line: a thin face over the running gateway's API and over the files that it leaves."""
