"""Functions of times (cty/function/stdlib/datetime.go, bake/hclparser/stdlib.go)."""

import re
from datetime import UTC, datetime, timedelta, timezone

from img.domain.bake.functions.signature import function, integer
from img.domain.bake.language.scope import FunctionFault
from img.domain.bake.values.types import NUMBER, STRING
from img.domain.bake.values.value import Value, number, object_of, string
from img.domain.go.quantities import BadQuantity, parse_duration

_RFC3339 = re.compile(
    r"(?a)(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)"
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_TOKEN = re.compile(r"'(?:[^']|'')*'|'.*|([A-Za-z])\1*|[^A-Za-z']+", re.DOTALL)


def parse_time(text: str, argument: int) -> datetime:
    """Return an RFC 3339 time. Raises FunctionFault."""
    found = _RFC3339.fullmatch(text)
    if not found:
        raise FunctionFault(_why_no_time(text), argument)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    zone = found[8]
    offset = timedelta(0)
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        offset = -offset if zone[0] == "-" else offset
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    try:
        of_zone = UTC if zone == "Z" else timezone(offset)
        return datetime(year, month, day, hour, minute, second, micro, of_zone)
    except ValueError as error:
        raise FunctionFault(f"not a valid RFC3339 timestamp: {error}", argument) from None


def _why_no_time(text: str) -> str:
    parts = (
        ("year", r"\d{4}", 4),
        ("", "-", 1),
        ("month", r"\d\d", 2),
        ("", "-", 1),
        ("day of month", r"\d\d", 2),
        ("", "T", 1),
        ("hour", r"\d\d", 2),
    )
    at = 0
    for name, pattern, width in parts:
        piece = text[at : at + width]
        if not re.fullmatch(pattern, piece):
            if not text[at:]:
                return "not a valid RFC3339 timestamp: end of string"
            what = (
                f'cannot use "{text[at:]}" as {name}' if name else f'missing required "{pattern}"'
            )
            return f"not a valid RFC3339 timestamp: {what}"
        at += width
    return "not a valid RFC3339 timestamp"


def format_time(template: str, time: datetime) -> str:
    """Return ``time`` by a template of letters (``YYYY-MM-DD``). Raises FunctionFault."""
    made = []
    for found in _TOKEN.finditer(template):
        token = found[0]
        if token[0] == "'":
            if len(token) < 2 or not token.endswith("'"):
                raise FunctionFault("unterminated literal '", 0)
            made.append(token[1:-1].replace("''", "'"))
        elif token[0].isascii() and token[0].isalpha():
            made.append(_verb(token, time))
        else:
            made.append(token)
    return "".join(made)


def _verb(verb: str, time: datetime) -> str:
    hour12 = time.hour % 12 or 12
    known = {
        "YYYY": f"{time.year:04d}",
        "YY": f"{time.year % 100:02d}",
        "MMMM": _MONTHS[time.month - 1],
        "MMM": _MONTHS[time.month - 1][:3],
        "MM": f"{time.month:02d}",
        "M": str(time.month),
        "DD": f"{time.day:02d}",
        "D": str(time.day),
        "EEEE": _DAYS[time.weekday()],
        "EEE": _DAYS[time.weekday()][:3],
        "hh": f"{time.hour:02d}",
        "h": str(time.hour),
        "HH": f"{hour12:02d}",
        "H": str(hour12),
        "mm": f"{time.minute:02d}",
        "m": str(time.minute),
        "ss": f"{time.second:02d}",
        "s": str(time.second),
        "AA": "AM" if time.hour < 12 else "PM",
        "aa": "am" if time.hour < 12 else "pm",
        "ZZZZZ": _zone(time, ":"),
        "ZZZZ": _zone(time, ""),
        "ZZZ": "UTC" if not time.utcoffset() else _zone(time, ""),
        "Z": "Z" if not time.utcoffset() else _zone(time, ":"),
    }
    if verb in known:
        return known[verb]
    rule = _RULES.get(verb[0])
    if rule is None:
        raise FunctionFault(f'invalid date format verb "{verb[0]}": unsupported format letter', 0)
    raise FunctionFault(f'invalid date format verb "{verb}": {rule}', 0)


_RULES = {
    "Y": 'year must either be "YY" or "YYYY"',
    "M": 'month must be "M", "MM", "MMM", or "MMMM"',
    "D": 'day of month must either be "D" or "DD"',
    "E": 'day of week must either be "EEE" or "EEEE"',
    "h": '24-hour must either be "h" or "hh"',
    "H": '12-hour must either be "H" or "HH"',
    "A": 'must be "AA"',
    "a": 'must be "aa"',
    "m": 'minute must either be "m" or "mm"',
    "s": 'second must either be "s" or "ss"',
    "Z": "timezone must be Z, ZZZZ, or ZZZZZ",
}


def _zone(time: datetime, between: str) -> str:
    offset = time.utcoffset() or timedelta(0)
    minutes = int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{between}{rest:02d}"


def rfc3339(time: datetime) -> str:
    """Return a time as Go's RFC3339 writes it: whole seconds."""
    return format_time("YYYY-MM-DD'T'hh:mm:ssZ", time)


def _unix(seconds: int, argument: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        raise FunctionFault("unix timestamp out of range", argument) from None


def _formattimestamp(template: Value, time: Value) -> Value:
    if time.type is STRING:
        parsed = parse_time(time.text, 1)
    elif time.type is NUMBER:
        if not time.number.is_whole():
            raise FunctionFault("unix timestamp must be an integer", 1)
        parsed = _unix(integer(time.number, 1), 1)
    else:
        raise FunctionFault("must be a string timestamp or a unix timestamp number", 1)
    if template.text == "X":
        return string(str((parsed - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)))
    return string(format_time(template.text, parsed))


def _timeadd(timestamp: Value, duration: Value) -> Value:
    time = parse_time(timestamp.text, 0)
    try:
        nanoseconds = parse_duration(duration.text)
    except BadQuantity as error:
        raise FunctionFault(str(error), 1) from None
    try:
        return string(rfc3339(time + timedelta(microseconds=nanoseconds // 1000)))
    except OverflowError:
        raise FunctionFault("the time is out of range", 1) from None


def _unixtimestampparse(timestamp: Value) -> Value:
    if not timestamp.number.is_whole():
        raise FunctionFault("unix timestamp must be an integer", 0)
    time = _unix(integer(timestamp.number, 0), 0)
    week = time.isocalendar()
    return object_of(
        {
            "year": number(time.year),
            "year_day": number(time.timetuple().tm_yday),
            "day": number(time.day),
            "month": number(time.month),
            "month_name": string(_MONTHS[time.month - 1]),
            "weekday": number(time.isoweekday() % 7),
            "weekday_name": string(_DAYS[time.weekday()]),
            "hour": number(time.hour),
            "minute": number(time.minute),
            "second": number(time.second),
            "rfc3339": string(rfc3339(time)),
            "iso_year": number(week.year),
            "iso_week": number(week.week),
        }
    )


TIMES = {
    "formatdate": function(
        "format:s time:s",
        lambda template, time: string(format_time(template.text, parse_time(time.text, 1))),
    ),
    "formattimestamp": function("format:s time:a", _formattimestamp),
    "timeadd": function("timestamp:s duration:s", _timeadd),
    "unixtimestampparse": function("unix_timestamp:n", _unixtimestampparse),
}
