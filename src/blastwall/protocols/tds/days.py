"""Dates and times of day as SQL Server shows them: proleptic Gregorian, from 0001-01-01 to 9999-12-31."""

from __future__ import annotations

_CYCLE, _CENTURY, _FOUR, _YEAR = 146097, 36524, 1461, 365
"""Days of 400, 100, 4 years and one."""
_LAST = 3652058
"""9999-12-31."""
_MONTHS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_DAY = 86400


def date_text(days: int) -> str:
    """Write the date so many days after 0001-01-01.

    Raises:
        ValueError: there is none.
    """
    if not 0 <= days <= _LAST:
        raise ValueError(f"no date is {days} days after 0001-01-01")
    cycles, days = divmod(days, _CYCLE)
    centuries = min(days // _CENTURY, 3)
    days -= centuries * _CENTURY
    fours, days = divmod(days, _FOUR)
    years = min(days // _YEAR, 3)
    days -= years * _YEAR
    year = 400 * cycles + 100 * centuries + 4 * fours + years + 1
    leap = years == 3 and (fours != 24 or centuries == 3)
    month, day = _month(days, leap=leap)
    return f"{year:04}-{month:02}-{day:02}"


def _month(days: int, *, leap: bool) -> tuple[int, int]:
    """Return month and day of a day of a year, from 0."""
    if leap and days == 59:
        return 2, 29
    if leap and days > 59:
        days -= 1
    month = next(number for number in range(1, 13) if days < _MONTHS[number])
    return month, days - _MONTHS[month - 1] + 1


def time_text(units: int, scale: int) -> str:
    """Write a time of day of so many units of 10 ** -scale seconds.

    Raises:
        ValueError: the day is not that long.
    """
    seconds, fraction = divmod(units, 10**scale)
    if seconds >= _DAY:
        raise ValueError(f"no time of day is {seconds} seconds after midnight")
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{shown}.{fraction:0{scale}}" if scale else shown
