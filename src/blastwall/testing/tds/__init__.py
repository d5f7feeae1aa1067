"""A throw-away server that speaks TDS as SQL Server does, over a DuckDB in this process.

Its codec is written apart from the gateway's, so that the same mistake is not made twice. Each token names its section
of MS-TDS ("Tabular Data Stream Protocol"). What the server cannot do it refuses with error 40000; it never guesses.
"""

from blastwall.testing.tds.server import Received, TdsServer, User

__all__ = ["Received", "TdsServer", "User"]
