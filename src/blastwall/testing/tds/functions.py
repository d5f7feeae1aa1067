"""T-SQL's functions, compiled to DuckDB's. Those that are not here are not supported, and said so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from blastwall.testing.tds.datatypes import BIGINT, DATETIME, FLOAT, INT, MAX, SYSNAME, SqlType
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Expressions, Scope
from blastwall.testing.tds.typed import NULL_TYPE, UNKNOWN, Typed, convert, literal_text

_Args = list[Typed]

_PARTS = {
    "YEAR": "year", "YY": "year", "YYYY": "year", "QUARTER": "quarter", "QQ": "quarter", "Q": "quarter",
    "MONTH": "month", "MM": "month", "M": "month", "DAYOFYEAR": "dayofyear", "DY": "dayofyear", "Y": "dayofyear",
    "DAY": "day", "DD": "day", "D": "day", "WEEK": "week", "WK": "week", "WW": "week", "HOUR": "hour", "HH": "hour",
    "MINUTE": "minute", "MI": "minute", "N": "minute", "SECOND": "second", "SS": "second", "S": "second",
    "MILLISECOND": "millisecond", "MS": "millisecond", "MICROSECOND": "microsecond", "MCS": "microsecond",
    "WEEKDAY": "weekday", "DW": "weekday",
}  # fmt: skip
_VARCHAR, _NVARCHAR = SqlType("varchar", 8000), SqlType("nvarchar", 4000)


def _text(one: Typed) -> Typed:
    """A value as characters, converted where it is something else."""
    if one.type.is_text or one.type == UNKNOWN:
        return one
    return convert(one, _VARCHAR)


def _long(one: Typed, length: int | None = None) -> SqlType:
    """The type of what a function makes of text: variable length, as national as the text."""
    name = "nvarchar" if one.type.is_unicode else "varchar"
    if one.type.length == MAX or one.type.name in ("xml", "text", "ntext"):
        return SqlType(name, MAX)
    return SqlType(name, max(1, one.type.length if length is None else length))


def _of_text(sql: str) -> Callable[[_Args], Typed]:
    """A function that keeps its text's type."""

    def make(args: _Args) -> Typed:
        one = _text(args[0])
        rest = [literal if literal.type.is_integer else _text(literal) for literal in args[1:]]
        return Typed(sql.format(one.sql, *(other.sql for other in rest)), _long(one), any(a.nullable for a in args))

    return make


def _to(type_: SqlType, sql: str) -> Callable[[_Args], Typed]:
    """A function whose result has one type."""
    return lambda args: Typed(
        f"CAST({sql.format(*(one.sql for one in args))} AS {_DUCK[type_.name]})", type_, any(a.nullable for a in args)
    )


_DUCK = {"int": "INTEGER", "bigint": "BIGINT", "float": "DOUBLE", "datetime": "TIMESTAMP", "date": "DATE"}


def _same(sql: str) -> Callable[[_Args], Typed]:
    """A function that keeps its number's type."""

    def make(args: _Args) -> Typed:
        one = convert(args[0], FLOAT) if args[0].type.is_text else args[0]
        return replace(one, sql=sql.format(one.sql, *(other.sql for other in args[1:])), source=None, literal=None)

    return make


def _concat(args: _Args) -> Typed:
    texts = [_text(one) for one in args]
    national = any(one.type.is_unicode for one in texts)
    lengths = [one.type.length for one in texts if one.type != NULL_TYPE]
    most = 4000 if national else 8000
    length = MAX if MAX in lengths else min(most, sum(lengths) or 1)
    joined = " || ".join(f"coalesce(CAST({one.sql} AS VARCHAR), '')" for one in texts)
    return Typed(f"({joined})", SqlType("nvarchar" if national else "varchar", length), False)


def _replace(args: _Args) -> Typed:
    one, old, new = (_text(arg) for arg in args)
    pattern = f"regexp_escape({old.sql})"
    escaped = f"replace({new.sql}, '\\', '\\\\')"
    replaced = f"regexp_replace({one.sql}, {pattern}, {escaped}, 'gi')"
    sql = f"(CASE WHEN length({old.sql}) = 0 THEN {one.sql} ELSE {replaced} END)"
    return Typed(sql, _long(one, 4000 if one.type.is_unicode else 8000), True)


def _datalength(args: _Args) -> Typed:
    one = args[0]
    if one.type.is_text:
        sql = f"length({one.sql})" + (" * 2" if one.type.is_unicode else "")
    elif one.type.is_binary:
        sql = f"octet_length({one.sql})"
    else:
        sql = f"CASE WHEN {one.sql} IS NULL THEN NULL ELSE {one.type.max_length} END"
    return Typed(f"CAST({sql} AS INTEGER)", BIGINT if one.type.length == MAX else INT, one.nullable)


def _round(args: _Args) -> Typed:
    one = args[0]
    if len(args) > 2 or args[1].literal is None:
        raise unsupported("ROUND with a length that is no constant, or with truncation")
    if one.type.is_exact:
        kept = f"DECIMAL({one.type.precision},{one.type.scale})"
        return replace(one, sql=f"CAST(round({one.sql}, {args[1].literal}) AS {kept})", source=None, literal=None)
    return replace(one, sql=f"round({one.sql}, {args[1].literal})", source=None, literal=None)


def _hashbytes(args: _Args) -> Typed:
    algorithm = (args[0].literal or "").upper()
    name = {"SHA2_256": "sha256", "MD5": "md5", "SHA1": "sha1", "SHA": "sha1"}.get(algorithm)
    if name is None or args[1].type.is_unicode:
        raise unsupported(f"HASHBYTES('{algorithm}') of {args[1].type.declared}")
    return Typed(f"unhex({name}({args[1].sql}))", SqlType("varbinary", 8000), True)


def _json_value(args: _Args) -> Typed:
    return Typed(f"json_extract_string({args[0].sql}, {args[1].sql})", _NVARCHAR, True)


def _json_query(args: _Args) -> Typed:
    path = args[1].sql if len(args) > 1 else "'$'"
    return Typed(f"CAST(json_extract({args[0].sql}, {path}) AS VARCHAR)", SqlType("nvarchar", MAX), True)


def _stuff(args: _Args) -> Typed:
    one, new = _text(args[0]), _text(args[3])
    start, length = args[1].sql, args[2].sql
    sql = f"(left({one.sql}, {start} - 1) || coalesce({new.sql}, '') || substr({one.sql}, {start} + {length}))"
    return Typed(
        sql, _long(one, MAX if MAX in (one.type.length, new.type.length) else one.type.length + new.type.length)
    )


def _quotename(args: _Args) -> Typed:
    return Typed(f"('[' || replace({args[0].sql}, ']', ']]') || ']')", SqlType("nvarchar", 258), True)


def _replicate(args: _Args) -> Typed:
    one = _text(args[0])
    type_ = _long(one, 4000 if one.type.is_unicode else 8000)
    sql = f"repeat({one.sql}, {args[1].sql})"
    return Typed(sql if type_.length == MAX else f"left({sql}, {type_.length})", type_, True)


_SIMPLE: dict[str, tuple[int, int, Callable[[_Args], Typed]]] = {
    "LEN": (1, 1, lambda a: Typed(f"CAST(length(rtrim({_text(a[0]).sql}, ' ')) AS INTEGER)", INT, a[0].nullable)),
    "DATALENGTH": (1, 1, _datalength),
    "UPPER": (1, 1, _of_text("upper({0})")),
    "LOWER": (1, 1, _of_text("lower({0})")),
    "LTRIM": (1, 1, _of_text("ltrim({0})")),
    "RTRIM": (1, 1, _of_text("rtrim({0})")),
    "TRIM": (1, 1, _of_text("trim({0})")),
    "REVERSE": (1, 1, _of_text("reverse({0})")),
    "LEFT": (2, 2, _of_text("left({0}, {1})")),
    "RIGHT": (2, 2, _of_text("right({0}, {1})")),
    "SUBSTRING": (3, 3, _of_text("substr({0}, {1}, {2})")),
    "REPLACE": (3, 3, _replace),
    "STUFF": (4, 4, _stuff),
    "REPLICATE": (2, 2, _replicate),
    "SPACE": (1, 1, lambda a: Typed(f"repeat(' ', {a[0].sql})", _VARCHAR, True)),
    "CONCAT": (2, 254, _concat),
    "CHARINDEX": (2, 2, _to(INT, "strpos(lower({1}), lower({0}))")),
    "CHAR": (1, 1, lambda a: Typed(f"chr({a[0].sql})", SqlType("char", 1), True)),
    "NCHAR": (1, 1, lambda a: Typed(f"chr({a[0].sql})", SqlType("nchar", 1), True)),
    "ASCII": (1, 1, _to(INT, "ascii({0})")),
    "UNICODE": (1, 1, _to(INT, "unicode({0})")),
    "QUOTENAME": (1, 1, _quotename),
    "ABS": (1, 1, _same("abs({0})")),
    "CEILING": (1, 1, _same("ceil({0})")),
    "FLOOR": (1, 1, _same("floor({0})")),
    "SIGN": (1, 1, _same("sign({0})")),
    "ROUND": (2, 3, _round),
    "POWER": (2, 2, lambda a: convert(Typed(f"pow({a[0].sql}, {a[1].sql})", FLOAT), a[0].type)),
    "SQRT": (1, 1, _to(FLOAT, "sqrt({0})")),
    "SQUARE": (1, 1, _to(FLOAT, "({0} * {0})")),
    "EXP": (1, 1, _to(FLOAT, "exp({0})")),
    "LOG": (1, 1, _to(FLOAT, "ln({0})")),
    "PI": (0, 0, lambda _: Typed("pi()", FLOAT, False)),
    "YEAR": (1, 1, _to(INT, "year({0})")),
    "MONTH": (1, 1, _to(INT, "month({0})")),
    "DAY": (1, 1, _to(INT, "day({0})")),
    "EOMONTH": (1, 1, _to(SqlType("date"), "last_day({0})")),
    "DATEFROMPARTS": (3, 3, _to(SqlType("date"), "make_date({0}, {1}, {2})")),
    "HASHBYTES": (2, 2, _hashbytes),
    "ISJSON": (1, 1, _to(INT, "json_valid({0})")),
    "JSON_VALUE": (2, 2, _json_value),
    "JSON_QUERY": (1, 2, _json_query),
    "ISNUMERIC": (1, 1, _to(INT, "(CASE WHEN TRY_CAST({0} AS DOUBLE) IS NULL THEN 0 ELSE 1 END)")),
}
_OF_MOMENTS = {"YEAR", "MONTH", "DAY", "EOMONTH"}
_WINDOW = {"ROW_NUMBER": BIGINT, "RANK": BIGINT, "DENSE_RANK": BIGINT, "NTILE": BIGINT, "CUME_DIST": FLOAT,
           "PERCENT_RANK": FLOAT}  # fmt: skip
_AGGREGATES = {"COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX", "STDEV", "STDEVP", "VAR", "VARP"}
_NAVIGATION = {"LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"}
_NOW = {"GETDATE": DATETIME, "GETUTCDATE": DATETIME, "SYSDATETIME": SqlType("datetime2", scale=7),
        "SYSUTCDATETIME": SqlType("datetime2", scale=7)}  # fmt: skip


class Functions(Expressions):
    """Compiles calls of functions."""

    now = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - T-SQL's moments have no zone
    """The moment at which a statement began; the session sets it."""

    def function(self, name: str, scope: Scope) -> Typed:
        """Compile a function whose name and opening bracket are taken.

        Raises:
            SqlError: this server does not have it.
        """
        special = getattr(self, f"_{name.lower()}_function", None)
        if special is not None:
            made: Typed = special(scope)
            return made
        if name in _AGGREGATES:
            return self._over(self._aggregate(name, scope), scope)
        if name in _WINDOW:
            inner = self.value(scope).sql if self.cursor.word != ")" else ""
            self.cursor.expect(")")
            return self._over(Typed(f"{name.lower()}({inner})", _WINDOW[name], False), scope, required=True)
        if name in _NAVIGATION:
            args = self.arguments(scope)
            sql = f"{name.lower()}({', '.join(one.sql for one in args)})"
            return self._over(replace(args[0], sql=sql, nullable=True, source=None, literal=None), scope, required=True)
        if name in _NOW:
            self.cursor.expect(")")
            return self.bind("now", _NOW[name], self.now)
        return self._plain(name, self.arguments(scope))

    def arguments(self, scope: Scope) -> list[Typed]:
        """Compile arguments up to the closing bracket, which is taken."""
        args: list[Typed] = []
        if not self.cursor.accept(")"):
            args.append(self.value(scope))
            while self.cursor.accept(","):
                args.append(self.value(scope))
            self.cursor.expect(")")
        return args

    def _plain(self, name: str, args: list[Typed]) -> Typed:
        entry = _SIMPLE.get(name)
        if entry is None:
            return self._of_the_session(name, args)
        least, most, make = entry
        if not least <= len(args) <= most:
            raise SqlError.raised(174, 15, 1, f"The {name.lower()} function requires {least} argument(s).")
        if any(one.type == UNKNOWN for one in args):
            return Typed("NULL", UNKNOWN)
        if name in _OF_MOMENTS:
            args = [one if one.type.is_moment else convert(one, DATETIME) for one in args]
        return make(args)

    def _of_the_session(self, name: str, args: list[Typed]) -> Typed:
        if self.dry:
            if self.facts.fact(name, [None] * len(args)) is None and self.facts.mapping(name) is None:
                raise SqlError(195, name.lower())
            return Typed("NULL", UNKNOWN)
        constants = [self._constant(one) for one in args]
        mapping = self.facts.mapping(name)
        if mapping is not None and _VARIES in constants:
            return self._mapped(mapping, args)
        if any(one is _VARIES for one in constants):
            raise unsupported(f"{name} of something else than a constant")
        found = self.facts.fact(name, constants)
        if found is None:
            raise SqlError(195, name.lower())
        return self.bind(name, *found)

    def _constant(self, one: Typed) -> object:
        if one.type == NULL_TYPE:
            return None
        if one.literal is not None:
            return int(one.literal) if one.type.is_integer else one.literal
        key = one.sql.removeprefix("CAST($").partition(" ")[0]
        return self.values[key] if one.sql.startswith("CAST($") and key in self.values else _VARIES

    def _mapped(self, mapping: dict[object, object], args: list[Typed]) -> Typed:
        """What a function of metadata says for each id, as a CASE."""
        key = args[0].sql if len(args) == 1 else " || '.' || ".join(f"CAST({one.sql} AS VARCHAR)" for one in args[:2])
        whens = " ".join(
            f"WHEN {literal_text(known) if isinstance(known, str) else known} THEN {literal_text(str(said))}"
            for known, said in mapping.items() if said is not None
        )  # fmt: skip
        return Typed(f"(CASE {key} {whens} END)" if whens else "CAST(NULL AS VARCHAR)", SYSNAME, True)

    # ── aggregates and windows ───────────────────────────────────────────────────────────────────────────────────────

    def _aggregate(self, name: str, scope: Scope) -> Typed:
        if name.startswith("COUNT") and self.cursor.accept("*", ")"):
            return Typed(
                "CAST(count(*) AS INTEGER)" if name == "COUNT" else "count(*)",
                INT if name == "COUNT" else BIGINT,
                False,
            )
        distinct = "DISTINCT " if self.cursor.accept("DISTINCT") else ""
        self.cursor.accept("ALL")
        one = self.value(scope)
        self.cursor.expect(")")
        if one.type == UNKNOWN:
            return one
        if name.startswith("COUNT"):
            return Typed(f"count({distinct}{one.sql})", INT if name == "COUNT" else BIGINT, False)
        if name in ("MIN", "MAX"):
            return replace(one, sql=f"{name.lower()}({one.sql})", nullable=True, source=None, literal=None)
        if not one.type.is_number or one.type.name == "bit":
            raise SqlError.raised(
                8117, 16, 1, f"Operand data type {one.type.name} is invalid for {name.lower()} operator."
            )
        if name in ("SUM", "AVG"):
            return self._total(name, distinct, one)
        function = {"STDEV": "stddev_samp", "STDEVP": "stddev_pop", "VAR": "var_samp", "VARP": "var_pop"}[name]
        return Typed(f"{function}({distinct}{one.sql})", FLOAT, True)

    def _total(self, name: str, distinct: str, one: Typed) -> Typed:
        type_ = one.type
        if type_.is_integer:
            type_ = BIGINT if type_.name == "bigint" else INT
        elif type_.name in ("decimal", "numeric"):
            type_ = SqlType("decimal", precision=38, scale=type_.scale if name == "SUM" else max(type_.scale, 6))
        elif type_.name in ("float", "real"):
            type_ = FLOAT
        sql = f"{name.lower()}({distinct}{one.sql})"
        return Typed(sql, type_, True)

    def _over(self, one: Typed, scope: Scope, *, required: bool = False) -> Typed:
        cursor = self.cursor
        if not cursor.accept("OVER", "("):
            if required:
                raise SqlError.raised(10753, 15, 1, "The function must have an OVER clause.")
            return self._settled(one)
        parts = []
        if cursor.accept("PARTITION", "BY"):
            parts.append("PARTITION BY " + ", ".join(self._list(scope)))
        if cursor.accept("ORDER", "BY"):
            parts.append("ORDER BY " + ", ".join(self._sorted(scope)))
        if cursor.word in ("ROWS", "RANGE"):
            start = cursor.at
            while cursor.word != ")":
                cursor.advance()
            parts.append(" ".join(token.text for token in cursor.tokens[start : cursor.at]))
        cursor.expect(")")
        sql = one.sql
        if sql.startswith("CAST(count(*)"):
            sql = "count(*)"
        return self._settled(replace(one, sql=f"{sql} OVER ({' '.join(parts)})"))

    def _settled(self, one: Typed) -> Typed:
        """An aggregate in its own type: averages of integers are cut."""
        if one.type == UNKNOWN or one.sql.startswith("CAST("):
            return one
        if one.type.is_integer or one.type.name in ("decimal", "float", "money", "smallmoney"):
            sql = one.sql
            if one.type.is_integer and sql.startswith("avg("):
                sql = f"trunc({sql})"
            kept = {"int": "INTEGER", "bigint": "BIGINT", "float": "DOUBLE", "bit": "UTINYINT", "tinyint": "UTINYINT",
                    "smallint": "SMALLINT", "money": "DECIMAL(19,4)", "smallmoney": "DECIMAL(10,4)"}  # fmt: skip
            duck = kept.get(one.type.name, f"DECIMAL({one.type.precision},{one.type.scale})")
            return replace(one, sql=f"CAST({sql} AS {duck})")
        return one

    def _list(self, scope: Scope) -> list[str]:
        found = [self.value(scope).sql]
        while self.cursor.accept(","):
            found.append(self.value(scope).sql)
        return found

    def _sorted(self, scope: Scope) -> list[str]:
        found = [self.value(scope).sql + self.direction()]
        while self.cursor.accept(","):
            found.append(self.value(scope).sql + self.direction())
        return found

    def direction(self) -> str:
        """Compile ASC or DESC: nulls are the lowest values."""
        if self.cursor.accept("DESC"):
            return " DESC NULLS LAST"
        self.cursor.accept("ASC")
        return " ASC NULLS FIRST"

    # ── functions with a grammar of their own ────────────────────────────────────────────────────────────────────────

    def _cast_function(self, scope: Scope) -> Typed:
        return self._casting(scope, attempt=False)

    def _try_cast_function(self, scope: Scope) -> Typed:
        return self._casting(scope, attempt=True)

    def _casting(self, scope: Scope, *, attempt: bool) -> Typed:
        one = self.value(scope)
        self.cursor.expect("AS")
        type_ = self._cast_type()
        self.cursor.expect(")")
        return convert(one, type_, attempt=attempt)

    def _cast_type(self) -> SqlType:
        """In CAST and CONVERT text without a length has 30 characters."""
        bare = self.cursor.ahead() != "("
        type_ = self.type()
        sized = type_.name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary")
        return replace(type_, length=30) if bare and sized and type_ != SYSNAME else type_

    def _convert_function(self, scope: Scope) -> Typed:
        return self._converting(scope, attempt=False)

    def _try_convert_function(self, scope: Scope) -> Typed:
        return self._converting(scope, attempt=True)

    def _converting(self, scope: Scope, *, attempt: bool) -> Typed:
        type_ = self._cast_type()
        self.cursor.expect(",")
        one = self.value(scope)
        style = None
        if self.cursor.accept(","):
            chosen = self.value(scope)
            style = int(chosen.literal) if chosen.literal is not None else None
        self.cursor.expect(")")
        return convert(one, type_, style, attempt=attempt)

    def _isnull_function(self, scope: Scope) -> Typed:
        one, other = self.arguments(scope)
        if UNKNOWN in (one.type, other.type):
            return Typed("NULL", UNKNOWN)
        type_ = other.type if one.type == NULL_TYPE else one.type
        return Typed(f"coalesce({one.sql}, {convert(other, type_).sql})", type_, one.nullable and other.nullable)

    def _coalesce_function(self, scope: Scope) -> Typed:
        args = self.together(self.arguments(scope))
        return Typed(f"coalesce({', '.join(one.sql for one in args)})", args[0].type, all(one.nullable for one in args))

    def _nullif_function(self, scope: Scope) -> Typed:
        one, other = self.arguments(scope)
        return replace(one, sql=f"nullif({one.sql}, {other.sql})", nullable=True, source=None, literal=None)

    def _iif_function(self, scope: Scope) -> Typed:
        test = self.condition(scope)
        self.cursor.expect(",")
        yes, no = self.together(self.arguments(scope))
        return Typed(f"(CASE WHEN {test} THEN {yes.sql} ELSE {no.sql} END)", yes.type, yes.nullable or no.nullable)

    def _choose_function(self, scope: Scope) -> Typed:
        index, *values = self.arguments(scope)
        made = self.together(values)
        whens = " ".join(f"WHEN {number} THEN {one.sql}" for number, one in enumerate(made, 1))
        return Typed(f"(CASE {index.sql} {whens} END)", made[0].type, True)

    def _newid_function(self, scope: Scope) -> Typed:
        self.cursor.expect(")")
        self.fickle = True
        return Typed("uuid()", SqlType("uniqueidentifier"), False)

    def _rand_function(self, scope: Scope) -> Typed:
        self.cursor.expect(")")
        self.fickle = True
        return Typed("random()", FLOAT, False)

    def _string_agg_function(self, scope: Scope) -> Typed:
        one, separator = self.arguments(scope)
        order = ""
        if self.cursor.accept("WITHIN", "GROUP", "("):
            self.cursor.expect("ORDER", "BY")
            order = " ORDER BY " + ", ".join(self._sorted(scope))
            self.cursor.expect(")")
        if one.type == UNKNOWN:
            return one
        return Typed(
            f"string_agg({_text(one).sql}, {separator.sql}{order})",
            _long(_text(one), 4000 if one.type.is_unicode else 8000),
        )

    def _part(self) -> str:
        word = self.cursor.advance().word
        if word not in _PARTS:
            raise unsupported(f"The date part {word}")
        self.cursor.expect(",")
        return _PARTS[word]

    def _moment(self, one: Typed) -> Typed:
        return one if one.type.is_moment or one.type == UNKNOWN else convert(one, DATETIME)

    def _dateadd_function(self, scope: Scope) -> Typed:
        part = self._part()
        count, one = self.arguments(scope)
        if UNKNOWN in (count.type, one.type):
            return Typed("NULL", UNKNOWN)
        one = self._moment(one)
        unit = {"dayofyear": "day", "weekday": "day"}.get(part, part)
        whole = "INTEGER" if unit in ("day", "week", "month", "year", "quarter") else "BIGINT"
        step = f"CAST({count.sql} AS {whole})"
        interval = f"to_months(3 * {step})" if unit == "quarter" else f"to_{unit}s({step})"
        sql = f"({one.sql} + {interval})"
        return convert(Typed(sql, replace(one.type, name="datetime2"), one.nullable or count.nullable), one.type)

    def _datediff_function(self, scope: Scope) -> Typed:
        part = self._part()
        start, end = self.arguments(scope)
        if UNKNOWN in (start.type, end.type):
            return Typed("NULL", UNKNOWN)
        if part == "week":
            raise unsupported("DATEDIFF in weeks")
        unit = {"dayofyear": "day", "weekday": "day"}.get(part, part)
        first, last = (f"CAST({self._moment(one).sql} AS TIMESTAMP)" for one in (start, end))
        return Typed(f"CAST(date_diff('{unit}', {first}, {last}) AS INTEGER)", INT, start.nullable or end.nullable)

    def _datepart_function(self, scope: Scope) -> Typed:
        part = self._part()
        one = self._moment(self.arguments(scope)[0])
        if one.type == UNKNOWN:
            return one
        if part == "week":
            raise unsupported("DATEPART of weeks")
        inner = f"datepart('{part}', {one.sql})"
        if part == "weekday":
            inner += " + 1"
        elif part in ("millisecond", "microsecond"):
            inner += " % 1000" if part == "millisecond" else " % 1000000"
        return Typed(f"CAST({inner} AS INTEGER)", INT, one.nullable)

    def _datename_function(self, scope: Scope) -> Typed:
        part = self._part()
        one = self._moment(self.arguments(scope)[0])
        if one.type == UNKNOWN:
            return one
        named = {"month": "%B", "weekday": "%A"}.get(part)
        sql = f"strftime({one.sql}, '{named}')" if named else f"CAST(datepart('{part}', {one.sql}) AS VARCHAR)"
        return Typed(sql, SqlType("nvarchar", 30), one.nullable)


class _Varies:
    """Stands for a value that differs from row to row."""


_VARIES = _Varies()
