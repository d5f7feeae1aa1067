"""Typed expressions: DuckDB's SQL with the type that SQL Server gives its value, and conversions between types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blastwall.testing.tds.catalog import duck_type
from blastwall.testing.tds.datatypes import INT, MAX, SqlType
from blastwall.testing.tds.errors import SqlError, unsupported

UNKNOWN = SqlType("unknown")
"""The type of everything while text is only checked for its grammar."""
NULL_TYPE = SqlType("null")


@dataclass(frozen=True, slots=True)
class Source:
    """The column of a table that a value comes from unchanged."""

    database: str
    schema: str
    table: str
    column: str
    identity: bool = False
    view: tuple[str, str, str, str] | None = None
    """The same in the outermost view that it was read through."""


@dataclass(frozen=True, slots=True)
class Typed:
    """One expression."""

    sql: str
    type: SqlType
    nullable: bool = True
    source: Source | None = None
    literal: str | None = None
    """The text of a literal string, the digits of a literal number."""


def literal_text(text: str) -> str:
    """Return a string literal of DuckDB's."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'" if "\0" not in text else _with_nul(text)


def _with_nul(text: str) -> str:
    return " || chr(0) || ".join(literal_text(part) for part in text.split("\0"))


_RANK = ("null", "binary", "varbinary", "image", "char", "varchar", "nchar", "nvarchar", "text", "ntext",
         "uniqueidentifier", "bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "numeric", "decimal",
         "real", "float", "time", "date", "smalldatetime", "datetime", "datetime2", "datetimeoffset", "xml",
         "sql_variant", "unknown")  # fmt: skip
"""Data type precedence, the lowest first ("Data type precedence (Transact-SQL)")."""

_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def wider(left: SqlType, right: SqlType) -> SqlType:
    """Return the type that values of both take where they meet: in CASE, UNION, a comparison."""
    low, high = sorted((left, right), key=lambda one: _RANK.index(one.name))
    if high.name in ("decimal", "numeric") and low.is_number:
        low = as_decimal(low)
        scale = max(low.scale, high.scale)
        whole = max(low.precision - low.scale, high.precision - high.scale)
        return replace(high, precision=min(38, whole + scale), scale=scale)
    if (high.is_text and low.is_text) or (high.is_binary and low.is_binary):
        longest = MAX if MAX in (low.length, high.length) else max(low.length, high.length)
        name = high.name
        if low.name.startswith("n") and not name.startswith("n"):
            name = "n" + name
        if "var" in low.name + name or low.length != high.length:
            name = name if "var" in name else name.replace("char", "varchar").replace("binary", "varbinary")
        return SqlType(name, longest) if name not in ("text", "ntext", "xml", "image") else high
    if high.name == low.name:
        return replace(high, scale=max(low.scale, high.scale))
    return high


def as_decimal(type_: SqlType) -> SqlType:
    """Return the decimal that holds every value of an exact number's type."""
    if type_.name in _DIGITS:
        return SqlType("decimal", precision=_DIGITS[type_.name])
    if type_.name in ("money", "smallmoney"):
        return SqlType("decimal", precision=type_.precision or 19, scale=4)
    return type_


def arithmetic(operator: str, left: Typed, right: Typed) -> Typed:
    """Return `left operator right` of +, -, *, / and %.

    Raises:
        SqlError: this server cannot do that.
    """
    if UNKNOWN in (left.type, right.type):
        return Typed("NULL", UNKNOWN)
    if operator == "+" and _joins(left, right):
        return _joined(left, right)
    left, right = _numeric(left, right.type), _numeric(right, left.type)
    if not (left.type.is_number and right.type.is_number):
        return _moment_arithmetic(operator, left, right)
    type_, nullable = wider(left.type, right.type), left.nullable or right.nullable
    if type_.name == "bit":
        type_ = INT
    if type_.is_exact and type_.name not in ("money", "smallmoney"):
        type_ = _decimal_result(operator, as_decimal(left.type), as_decimal(right.type))
    return Typed(_calculated(operator, left, right, type_), type_, nullable)


def _calculated(operator: str, left: Typed, right: Typed, type_: SqlType) -> str:
    first, second = left.sql, right.sql
    if operator in "/%":
        second = f"(CASE WHEN {second} = 0 THEN error('blastwall:8134') ELSE {second} END)"
    if operator == "/":
        sql = f"{first} // {second}" if type_.is_integer else f"CAST({first} AS DOUBLE) / {second}"
    elif type_.is_integer and type_.name != "bigint":
        sql = f"CAST({first} AS BIGINT) {operator} {second}"
    else:
        sql = f"{first} {operator} {second}"
    return f"CAST(({sql}) AS {duck_type(type_)})"


def _joins(left: Typed, right: Typed) -> bool:
    texts = left.type.is_text or right.type.is_text or left.type.is_binary or right.type.is_binary
    others = [
        one.type for one in (left, right) if not (one.type.is_text or one.type.is_binary or one.type == NULL_TYPE)
    ]
    return texts and not others


def _joined(left: Typed, right: Typed) -> Typed:
    name = wider(left.type, right.type).name
    most = 4000 if name.startswith("n") else 8000
    lengths = (left.type.length, right.type.length)
    length = MAX if MAX in lengths else min(most, max(sum(lengths), 1))
    name = (
        name if "var" in name or name in ("text", "ntext") else name.replace("char", "varchar").replace("bin", "varbin")
    )
    sql = f"({left.sql} || {right.sql})"
    if length == most:
        sql = f"left({sql}, {most})" if "char" in name else sql
    return Typed(sql, SqlType(name, length), left.nullable or right.nullable)


def _numeric(one: Typed, other: SqlType) -> Typed:
    if one.type.is_text and other.is_number:
        return convert(one, other)
    return replace(one, type=other, sql=f"CAST(NULL AS {duck_type(other)})") if one.type == NULL_TYPE else one


def _decimal_result(operator: str, left: SqlType, right: SqlType) -> SqlType:
    """Precision and scale of decimal arithmetic ("Precision, scale, and length (Transact-SQL)")."""
    p1, s1, p2, s2 = left.precision, left.scale, right.precision, right.scale
    if operator == "*":
        precision, scale = p1 + p2 + 1, s1 + s2
    elif operator == "/":
        scale = max(6, s1 + p2 + 1)
        precision = p1 - s1 + s2 + scale
    elif operator == "%":
        scale = max(s1, s2)
        precision = min(p1 - s1, p2 - s2) + scale
    else:
        scale = max(s1, s2)
        precision = max(p1 - s1, p2 - s2) + scale + 1
    if precision > 38:
        scale = max(min(scale, 38 - (precision - scale)), min(scale, 6))
    return SqlType("numeric", precision=min(38, precision), scale=scale)


def _moment_arithmetic(operator: str, left: Typed, right: Typed) -> Typed:
    if left.type.name == "datetime" and right.type.is_integer and operator in "+-":
        sql = f"({left.sql} {operator} INTERVAL 1 DAY * CAST({right.sql} AS INTEGER))"
        return Typed(sql, left.type, left.nullable or right.nullable)
    raise unsupported(f"The operator {operator} between {left.type.declared} and {right.type.declared}")


def compared(operator: str, left: Typed, right: Typed) -> str:
    """Return a comparison.

    Raises:
        SqlError: this server cannot compare the two types.
    """
    left, right = comparable(left, right)
    return f"({left.sql} {operator} {right.sql})"


def comparable(left: Typed, right: Typed) -> tuple[Typed, Typed]:
    """Return two values in the type in which they are compared."""
    if UNKNOWN in (left.type, right.type):
        return left, right
    for one in (left, right):
        if one.type.name in ("datetimeoffset", "sql_variant", "xml", "text", "ntext", "image"):
            raise unsupported(f"A comparison with {one.type.name}")
    if left.type.is_text and right.type.is_text:
        return _trimmed(left), _trimmed(right)
    type_ = wider(left.type, right.type)
    if left.type.is_number and right.type.is_number:
        return left, right
    return (
        left if left.type.name == type_.name else convert(left, type_),
        right if right.type.name == type_.name else convert(right, type_),
    )


def _trimmed(one: Typed) -> Typed:
    """Trailing blanks do not count (char is stored without them)."""
    if one.literal is not None:
        return replace(one, sql=literal_text(one.literal.rstrip(" "))) if one.literal.endswith(" ") else one
    return one if one.source is not None or one.type == NULL_TYPE else replace(one, sql=f"rtrim({one.sql}, ' ')")


def convert(one: Typed, type_: SqlType, style: int | None = None, *, attempt: bool = False, cut: bool = True) -> Typed:
    """Return a value in another type, as CAST and CONVERT do; with `attempt` null where that fails.

    Args:
        one: the value.
        type_: the type that it gets.
        style: the style of CONVERT.
        attempt: whether it is TRY_CAST or TRY_CONVERT.
        cut: whether text that is too long is cut, as CAST does; a column refuses it itself.

    Raises:
        SqlError: this server cannot convert the one into the other.
    """
    from_ = one.type
    if UNKNOWN in (from_, type_):
        return replace(one, type=type_)
    if from_ == NULL_TYPE:
        return Typed(f"CAST(NULL AS {duck_type(type_)})", type_)
    if type_.name == "sql_variant":
        return one if from_.name == "sql_variant" else _to_variant(one)
    made = _to_text(one, type_, style, cut) if type_.is_text else _to_other(one, type_, style, attempt)
    return Typed(made, type_, one.nullable or attempt)


def _to_variant(one: Typed) -> Typed:
    text = f"hex({one.sql})" if one.type.is_binary else f"CAST({one.sql} AS VARCHAR)"
    return Typed(f"('{one.type.declared}' || chr(31) || {text})", SqlType("sql_variant"), one.nullable)


_STYLES = {
    0: "%b %-d %Y %-I:%M%p", 100: "%b %-d %Y %-I:%M%p", 101: "%m/%d/%Y", 103: "%d/%m/%Y", 104: "%d.%m.%Y",
    108: "%H:%M:%S", 110: "%m-%d-%Y", 111: "%Y/%m/%d", 112: "%Y%m%d", 114: "%H:%M:%S:%g", 120: "%Y-%m-%d %H:%M:%S",
    20: "%Y-%m-%d %H:%M:%S", 121: "%Y-%m-%d %H:%M:%S.%g", 21: "%Y-%m-%d %H:%M:%S.%g", 126: "%Y-%m-%dT%H:%M:%S.%g",
    127: "%Y-%m-%dT%H:%M:%S.%gZ", 23: "%Y-%m-%d",
}  # fmt: skip
"""Styles of CONVERT for dates ("CAST and CONVERT (Transact-SQL)")."""


def _to_text(one: Typed, type_: SqlType, style: int | None, cut: bool) -> str:
    text = _text_of(one, style)
    if not cut or type_.length == MAX or type_.name in ("xml", "text", "ntext"):
        return text
    if one.type.is_text and 0 < one.type.length <= type_.length:
        return text
    return f"left({text}, {type_.length})"


def _text_of(one: Typed, style: int | None) -> str:
    name, sql = one.type.name, one.sql
    if one.type.is_text or name == "datetimeoffset":
        return sql
    if one.type.is_binary:
        if style in (1, 2):
            return f"('{'0x' if style == 1 else ''}' || hex({sql}))"
        raise unsupported("A conversion of binary to characters without style 1 or 2")
    if name in ("float", "real"):
        digits = f"printf('%g', CAST({sql} AS DOUBLE))"
        return f"regexp_replace({digits}, 'e([+-])(\\d\\d)$', 'e\\10\\2')"
    if name in ("money", "smallmoney"):
        return f"CAST(CAST({sql} AS DECIMAL(19,2)) AS VARCHAR)"
    if name == "uniqueidentifier":
        return f"upper(CAST({sql} AS VARCHAR))"
    if one.type.is_moment:
        return _moment_text(one, style)
    if name == "sql_variant":
        return f"split_part({sql}, chr(31), 2)"
    return f"CAST({sql} AS VARCHAR)"


def _moment_text(one: Typed, style: int | None) -> str:
    name = one.type.name
    if style is None and name in ("date", "datetime2", "time"):
        if name == "datetime2" and one.type.scale:
            micros = min(one.type.scale, 6)
            padded = "'" + "0" * (one.type.scale - micros) + "'"
            return f"(left(strftime({one.sql}, '%Y-%m-%d %H:%M:%S.%f'), {20 + micros}) || {padded})"
        return f"CAST({one.sql} AS VARCHAR)" if name != "datetime2" else f"strftime({one.sql}, '%Y-%m-%d %H:%M:%S')"
    pattern = _STYLES.get(style or 0)
    if pattern is None or name == "time":
        raise unsupported(f"Style {style} of CONVERT for {name}")
    if pattern.startswith("%b"):
        day, hour = f"lpad(CAST(day({one.sql}) AS VARCHAR), 2, ' ')", f"lpad(strftime({one.sql}, '%-I'), 2, ' ')"
        return (f"(strftime({one.sql}, '%b ') || {day} || strftime({one.sql}, ' %Y ') || {hour} || "
                f"strftime({one.sql}, ':%M%p'))")  # fmt: skip
    return f"strftime({one.sql}, '{pattern}')"


def _to_other(one: Typed, type_: SqlType, style: int | None, attempt: bool) -> str:
    from_, sql, duck = one.type, one.sql, duck_type(type_)
    cast = "TRY_CAST" if attempt else "CAST"
    if from_.name == "sql_variant":
        sql, from_ = f"split_part({sql}, chr(31), 2)", SqlType("varchar", 8000)
    if type_.is_integer and from_.is_text:
        return _integer_of_text(sql, from_, type_, cast)
    if type_.name == "bit":
        return f"CAST(CASE WHEN {sql} IS NULL THEN NULL WHEN {sql} <> 0 THEN 1 ELSE 0 END AS UTINYINT)"
    if type_.is_integer and (from_.is_exact or from_.name in ("float", "real")):
        return f"{cast}(trunc({sql}) AS {duck})"
    if type_.is_moment:
        return _to_moment(sql, from_, type_, cast)
    if type_.is_binary:
        return _to_binary(one, type_, style)
    if type_.is_number and (from_.is_number or from_.is_text):
        return f"{cast}({sql} AS {duck})"
    if type_.name == "uniqueidentifier" and (from_.is_text or from_.name == "uniqueidentifier"):
        return f"{cast}({sql} AS UUID)"
    raise unsupported(f"A conversion of {from_.declared} to {type_.declared}")


def _integer_of_text(sql: str, from_: SqlType, type_: SqlType, cast: str) -> str:
    failed = f"error('blastwall:245|{from_.name}|' || {sql} || '|{type_.name}')"
    if cast == "TRY_CAST":
        failed = "NULL"
    number = f"{cast}(trim({sql}) AS {duck_type(type_)})"
    if type_.name == "bit":
        words = f"WHEN lower(trim({sql})) = 'true' THEN 1 WHEN lower(trim({sql})) = 'false' THEN 0 "
        number = f"CASE WHEN {cast}(trim({sql}) AS INTEGER) <> 0 THEN 1 ELSE 0 END"
    else:
        words = ""
    return (f"CAST(CASE WHEN {sql} IS NULL THEN NULL WHEN trim({sql}) = '' THEN 0 {words}"
            f"WHEN regexp_full_match(trim({sql}), '[+-]?\\d+') THEN {number} ELSE {failed} END "
            f"AS {duck_type(type_)})")  # fmt: skip


def _to_moment(sql: str, from_: SqlType, type_: SqlType, cast: str) -> str:
    if from_.is_text:
        if type_.name == "datetimeoffset":
            return f"CASE WHEN CAST({sql} AS TIMESTAMPTZ) IS NULL THEN NULL ELSE {sql} END"
        dashed = f"regexp_replace(trim({sql}), '^(\\d{{4}})(\\d{{2}})(\\d{{2}})(\\D|$)', '\\1-\\2-\\3\\4')"
        if type_.name == "time":
            return f"{cast}(regexp_replace({dashed}, '^\\d{{4}}-\\d{{2}}-\\d{{2}}[ T]', '') AS TIME)"
        return _rounded(f"{cast}({dashed} AS {'DATE' if type_.name == 'date' else 'TIMESTAMP'})", type_)
    if not from_.is_moment or "datetimeoffset" in (from_.name, type_.name):
        if from_.name == type_.name:
            return sql
        raise unsupported(f"A conversion of {from_.declared} to {type_.declared}")
    return _rounded(f"CAST({sql} AS {duck_type(type_)})", type_)


def _rounded(sql: str, type_: SqlType) -> str:
    """A datetime counts three-hundredths of a second, shown as milliseconds that end in 0, 3 or 7."""
    if type_.name == "datetime":
        ticks = f"round((epoch_us({sql}) % 1000000) * 3 / 10000.0)"
        return (
            f"make_timestamp(CAST((epoch_us({sql}) // 1000000) * 1000000 + round({ticks} * 10 / 3) * 1000 AS BIGINT))"
        )
    if type_.name == "smalldatetime":
        return f"date_trunc('minute', {sql} + INTERVAL 30 SECOND)"
    if type_.name in ("datetime2", "time") and type_.scale < 6:
        step = 10 ** (6 - type_.scale)
        if type_.name == "datetime2":
            return f"make_timestamp(CAST(round(epoch_us({sql}) / {step}.0) * {step} AS BIGINT))"
    return sql


def _to_binary(one: Typed, type_: SqlType, style: int | None) -> str:
    if one.type.is_binary:
        return one.sql
    if one.type.is_text and style in (1, 2):
        return f"unhex(regexp_replace({one.sql}, '^0[xX]', ''))"
    if one.type.is_text and not one.type.is_unicode:
        return f"encode({one.sql})"
    if one.literal is not None and one.type.is_integer:
        width = type_.length if type_.name == "binary" else 4
        return f"unhex('{int(one.literal) & ((1 << 8 * width) - 1):0{2 * width}x}')"
    raise unsupported(f"A conversion of {one.type.declared} to {type_.declared}")


def assigned(one: Typed, type_: SqlType) -> Typed:
    """Return a value as a column of a type takes it: implicitly converted, never cut."""
    if one.type.is_moment and type_.is_number:
        raise SqlError.raised(257, 16, 3, f"Implicit conversion from data type {one.type.name} to {type_.name} is not "
                                          "allowed. Use the CONVERT function to run this query.")  # fmt: skip
    if type_.name == "datetimeoffset" and one.type.name in ("datetime2", "datetime"):
        return Typed(f"(CAST({one.sql} AS VARCHAR) || '+00:00')", type_, one.nullable)
    return convert(one, type_, cut=False)
