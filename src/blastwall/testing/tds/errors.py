"""Errors with SQL Server's own numbers, classes and texts, and how DuckDB's become them."""

from __future__ import annotations

import re

import duckdb

STATEMENT, BATCH, TRANSACTION = "statement", "batch", "transaction"
"""What an error ends: its statement, the batch, or the batch and its transaction."""

_TEXTS = {
    102: (15, "Incorrect syntax near '{}'."),
    105: (15, "Unclosed quotation mark after the character string '{}'."),
    111: (15, "'{}' must be the first statement in a query batch."),
    137: (15, 'Must declare the scalar variable "{}".'),
    134: (15, ("The variable name '{}' has already been declared. Variable names must be unique within a query batch "
              "or stored procedure.")),
    141: (15, ("A SELECT statement that assigns a value to a variable must not be combined with data-retrieval "
              "operations.")),
    195: (15, "'{}' is not a recognized built-in function name."),
    201: (16, "Procedure or function '{}' expects parameter '{}', which was not supplied."),
    205: (16, ("All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of "
              "expressions in their target lists.")),
    207: (16, "Invalid column name '{}'."),
    208: (16, "Invalid object name '{}'."),
    209: (16, "Ambiguous column name '{}'."),
    213: (16, "Column name or number of supplied values does not match table definition."),
    229: (14, "The {} permission was denied on the object '{}', database '{}', schema '{}'."),
    245: (16, "Conversion failed when converting the {} value '{}' to data type {}."),
    264: (16, "The column name '{}' is specified more than once in the SET clause or column list of an INSERT."),
    266: (16, ("Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements. "
              "Previous count = {}, current count = {}.")),
    515: (16, "Cannot insert the value NULL into column '{}', table '{}'; column does not allow nulls. {} fails."),
    544: (16, "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF."),
    547: (16, ('The {} statement conflicted with the {} constraint "{}". The conflict occurred in database "{}", '
              'table "{}"{}.')),
    911: (16, "Database '{}' does not exist. Make sure that the name is entered correctly."),
    1205: (13, ("Transaction (Process ID {}) was deadlocked on lock resources with another process and has been chosen "
               "as the deadlock victim. Rerun the transaction.")),
    2627: (14, ("Violation of {} constraint '{}'. Cannot insert duplicate key in object '{}'. The duplicate key value "
               "is ({}).")),
    2601: (14, ("Cannot insert duplicate key row in object '{}' with unique index '{}'. The duplicate key value is "
               "({}).")),
    2628: (16, "String or binary data would be truncated in table '{}', column '{}'. Truncated value: '{}'."),
    2714: (16, "There is already an object named '{}' in the database."),
    2715: (16, "Column, parameter, or variable #{}: Cannot find data type {}."),
    2732: (16, "Error number {} is invalid. The number must be from 13000 through 2147483647 and it cannot be 50000."),
    2812: (16, "Could not find stored procedure '{}'."),
    3621: (0, "The statement has been terminated."),
    3701: (11, "Cannot drop the {} '{}', because it does not exist or you do not have permission."),
    3902: (16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3926: (10, "The transaction active in this session has been committed or aborted by another session."),
    3930: (16, ("The current transaction cannot be committed and cannot support operations that write to the log file. "
               "Roll back the transaction.")),
    3960: (16, "Snapshot isolation transaction aborted due to update conflict in database '{}'."),
    3998: (16, "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back."),
    4060: (11, 'Cannot open database "{}" requested by the login. The login failed.'),
    4104: (16, 'The multi-part identifier "{}" could not be bound.'),
    4145: (15, "An expression of non-boolean type specified in a context where a condition is expected, near '{}'."),
    5701: (10, "Changed database context to '{}'."),
    5703: (10, "Changed language setting to {}."),
    6401: (16, "Cannot roll back {}. No transaction or savepoint of that name was found."),
    8101: (16, ("An explicit value for the identity column in table '{}' can only be specified when a column list is "
               "used and IDENTITY_INSERT is ON.")),
    8114: (16, "Error converting data type {} to {}."),
    8115: (16, "Arithmetic overflow error converting {} to data type {}."),
    8134: (16, "Divide by zero error encountered."),
    8144: (16, "Procedure or function {} has too many arguments specified."),
    8145: (16, "{} is not a parameter for procedure {}."),
    8152: (16, "String or binary data would be truncated."),
    8178: (16, "The parameterized query '{}' expects the parameter '{}', which was not supplied."),
    8179: (16, "Could not find prepared statement with handle {}."),
    15151: (16, "Cannot find the {} '{}', because it does not exist or you do not have permission."),
    16916: (16, "A cursor with the name '{}' does not exist."),
    16929: (16, "The cursor is READ ONLY."),
    18456: (14, "Login failed for user '{}'."),
    40515: (16, "Reference to database and/or server name in '{}' is not supported in this version of SQL Server."),
    50000: (16, "{}"),
}  # fmt: skip

_ENDS = {
    102: BATCH, 208: BATCH, 207: BATCH, 137: BATCH, 911: BATCH, 209: BATCH, 213: BATCH, 245: TRANSACTION,
    1205: TRANSACTION, 3960: TRANSACTION, 241: TRANSACTION, 8114: TRANSACTION, 3998: TRANSACTION,
}  # fmt: skip


class SqlError(Exception):
    """An error of SQL Server's. `ends` says what it ends besides its statement."""

    def __init__(self, number: int, *values: object, state: int = 1) -> None:
        severity, text = _TEXTS[number]
        self.number, self.severity, self.state, self.line, self.procedure = number, severity, state, 1, ""
        self.text = text.format(*values)
        self.ends = _ENDS.get(number, BATCH if severity == 15 else STATEMENT)
        super().__init__(f"Msg {number}, Level {severity}, State {state}: {self.text}")

    @classmethod
    def raised(cls, number: int, severity: int, state: int, text: str) -> SqlError:
        """Return an error of RAISERROR's or THROW's."""
        error = cls(50000, text, state=state)
        error.number, error.severity = number, severity
        return error


def unsupported(what: str) -> SqlError:
    """Return the error for what this server cannot do: it says so, rather than answer wrongly."""
    error = SqlError.raised(40000, 16, 1, f"{what} is not supported by the test server.")
    error.ends = BATCH
    return error


_DUPLICATE = re.compile(r'Duplicate key "(.*?)" violates (primary key|unique) constraint', re.DOTALL)
_DUPLICATE_HERE = re.compile(r'PRIMARY KEY or UNIQUE constraint violation: duplicate key "(.*)"', re.DOTALL)
_NOT_NULL = re.compile(r"NOT NULL constraint failed: (\S+?)\.(\S+)")
_CHECK = re.compile(r'CHECK constraint failed on table "([^"]+)" with expression CHECK\((.*)\)', re.DOTALL)
_TOO_LONG = re.compile(r"\(Error: blastwall:2628\|([^|]*)\|([^|]*)\|(.*)\)\s*$", re.DOTALL)
_CONVERTED = re.compile(r"blastwall:245\|([^|]*)\|(.*)\|(\w+)", re.DOTALL)
_CONVERSION = re.compile(r"Could not convert string '(.*?)' to (\w+)", re.DOTALL)
_OUT_OF_RANGE = re.compile(r"out of range|Could not cast value|Overflow", re.IGNORECASE)
_WIRE_TYPES = {"INT32": "int", "INT64": "bigint", "INT16": "smallint", "UINT8": "tinyint", "DOUBLE": "float",
               "DECIMAL": "numeric", "FLOAT": "real", "UUID": "uniqueidentifier"}  # fmt: skip


class Violation(Exception):
    """A constraint that DuckDB found violated: who ran the statement knows the names that SQL Server says."""

    def __init__(self, kind: str, table: str, detail: str) -> None:
        super().__init__(f"{kind} {table} {detail}")
        self.kind, self.table, self.detail = kind, table, detail


def translated(error: duckdb.Error) -> SqlError | Violation:
    """Return what SQL Server would have said."""
    text = str(error)
    if found := _TOO_LONG.search(text):
        return SqlError(2628, found[1], found[2], found[3])
    if found := _CONVERTED.search(text):
        return SqlError(245, found[1], found[2], found[3])
    if found := _DUPLICATE.search(text):
        return Violation(found[2], "", found[1])
    if found := _DUPLICATE_HERE.search(text):
        return Violation("key", "", found[1])
    if found := _NOT_NULL.search(text):
        return Violation("null", found[1].strip('"'), found[2].strip('"'))
    if found := _CHECK.search(text):
        return Violation("check", found[1], found[2])
    if found := _CONVERSION.search(text):
        return SqlError(245, "nvarchar", found[1], _WIRE_TYPES.get(found[2], found[2].lower()))
    return _translated_value(error, text)


def _translated_value(error: duckdb.Error, text: str) -> SqlError:
    if "Division by zero" in text or "blastwall:8134" in text:
        return SqlError(8134)
    if isinstance(error, duckdb.TransactionException) or "Conflict" in text:
        return SqlError(3960, "the database")
    if isinstance(error, duckdb.ConversionException) and ("date" in text or "time" in text):
        failed = SqlError.raised(
            241, 16, 1, "Conversion failed when converting date and/or time from character string."
        )
        failed.ends = TRANSACTION
        return failed
    if _OUT_OF_RANGE.search(text):
        return SqlError(8115, "expression", "numeric" if "DECIMAL" in text else "int")
    return unsupported(f"What came of this ({text.splitlines()[0]})")
