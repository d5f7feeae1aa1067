"""Ways to get a masked value out of SQL Server: each is tried, none may show it.

`shows` are the columns of the results that come, one text a result, names parted by spaces: "-" for a column without
a name, "+" before one that holds nothing masked. `says` is how a message would quote the value: by PRINT or RAISERROR
("code"), or by an error of SQL Server's, which is its number. `live` ways show the value on the test server, where
nothing is masked; `changes` are those that change its tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

EMAIL = "zelda.quux@planted.example"
CARD = "4111111111111111"

SHOP = f"""
CREATE TABLE dbo.customers (id int NOT NULL PRIMARY KEY, email nvarchar(100) NOT NULL, card varchar(30),
                            num bigint NOT NULL, born date, shouted AS (UPPER(email)));
CREATE TABLE dbo.orders (id int NOT NULL PRIMARY KEY, customer int, note nvarchar(200));
INSERT INTO dbo.customers (id, email, card, num, born) VALUES (1, N'{EMAIL}', '{CARD}', {CARD}, '1990-02-03');
INSERT INTO dbo.orders VALUES (1, 1, N'nothing to see'), (2, 1, N'nothing here either');
"""
VIEW = "CREATE VIEW dbo.addresses AS SELECT id, email AS address, LOWER(card) AS c FROM dbo.customers"
LIST = "CREATE PROCEDURE dbo.list_customers AS SELECT id, email, card FROM dbo.customers"
ONE = """
CREATE PROCEDURE dbo.one_customer @id int, @email nvarchar(100) OUTPUT AS
SELECT @email = email FROM dbo.customers WHERE id = @id"""
STATUS = "CREATE PROCEDURE dbo.status_of AS DECLARE @n int; SELECT @n = LEN(email) FROM dbo.customers; RETURN @n"
SHOUT = """
CREATE FUNCTION dbo.shout (@id int) RETURNS nvarchar(100) AS
BEGIN RETURN (SELECT UPPER(email) FROM dbo.customers WHERE id = @id) END"""
TABLE = "CREATE FUNCTION dbo.all_of () RETURNS TABLE AS RETURN (SELECT id, email FROM dbo.customers)"
MODULES = {
    "addresses": ("V", VIEW),
    "list_customers": ("P", LIST),
    "one_customer": ("P", ONE),
    "status_of": ("P", STATUS),
    "shout": ("FN", SHOUT),
    "all_of": ("IF", TABLE),
}
"""The code of the shop, by name: its type in sys.objects, and its definition."""


@dataclass(frozen=True)
class Way:
    """One way out; see the module."""

    sql: str
    shows: tuple[str, ...] = ()
    says: str = ""
    live: bool = False
    changes: bool = False


WAYS = [
    Way(one["sql"], tuple(one.get("shows", ())), one.get("says", ""), one.get("live", False), one.get("changes", False))
    for one in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
]
