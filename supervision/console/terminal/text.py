"""Pure. Formats the API's responses as plain text for terminals. Escapes control characters in all names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from actors.oneline import visible

Json: TypeAlias = dict[str, Any]

MAX_CELL = 60
"""Maximum number of characters in a table cell."""
BRANCHES = {"": "", "├─ ": "│  ", "└─ ": "   "}


def clean(text: object) -> str:
    """Escape the characters that control a terminal, break a line or change the writing direction."""
    return visible(str(text))


def block(text: str) -> list[str]:
    """Split a longer text, such as a traceback, into clean lines."""
    return [clean(line.expandtabs(4)) for line in text.split("\n")]


# Amounts.


def amount(value: object) -> str:
    """Format any value of the API."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case {"amount": number, "unit": unit, "level": level}:
            return _UNITS.get(unit, amount)(number) + (" (!)" if level else "")
        case dict():
            return ", ".join(f"{clean(name)} {amount(each)}" for name, each in value.items()) or "none"
        case list():
            return ", ".join(map(amount, value)) or "none"
        case _:
            return clean(value)


def size(count: float) -> str:
    """Format a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def duration(seconds: float | None) -> str:
    """Format seconds, in the unit that fits."""
    if not seconds:
        return "-" if seconds is None else "0 s"
    for limit, unit, count in ((1e-3, "us", 1e6), (1.0, "ms", 1e3), (60.0, "s", 1.0)):
        if seconds < limit:
            return f"{seconds * count:.{0 if unit == 'us' else 1}f} {unit}"
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes}m {int(seconds) % 60:02}s"
    return f"{minutes // 60}h {minutes % 60:02}m" if minutes < 1440 else f"{minutes // 1440}d {minutes // 60 % 24:02}h"


def moment(at: float) -> str:
    """Format a time with its date, in local time."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


_UNITS: dict[str, Callable[[Any], str]] = {
    "bytes": lambda count: size(count or 0),
    "seconds": duration,
    "moment": moment,
}
"""Unit of a page's quantity -> its format."""


def usage(limit: Json) -> str:
    """Format a limit and its usage."""
    show = _UNITS.get(limit["unit"], amount)
    return f"{share(limit['share'])} ({show(limit['used'])} of {show(limit['limit'])})"


def rate(per_second: float | None) -> str:
    """Format a rate per second."""
    return "-" if per_second is None else f"{per_second:,.0f}/s"


def share(part: float | None) -> str:
    """Format a share as a percentage."""
    return "-" if part is None else f"{part:.0%}"


def clock(at: float) -> str:
    """Format a time of day, in local time."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def bar(part: float, width: int) -> str:
    """Draw a share as a bar."""
    full = round(min(1.0, max(0.0, part)) * width)
    return "█" * full + "░" * (width - full)


# Tables.


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: the attribute that it shows, and by which the API sorts
        title: its heading
        show: formats the attribute
        is_number: whether to align it to the right
    """

    name: str
    title: str
    show: Callable[[Any], str] = amount
    is_number: bool = False

    def cell(self, row: Json) -> str:
        """Return the text of this column's cell in a row."""
        text = self.show(row[self.name])
        return text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…"


def _number(name: str, title: str, show: Callable[[Any], str] = amount) -> Column:
    return Column(name, title, show, is_number=True)


ACTORS = (
    Column("ref", "Ref"),
    Column("label", "Label"),
    Column("state", "State"),
    _number("mailbox", "Wait"),
    _number("peak", "Peak"),
    _number("recent", "Msgs"),
    _number("recently_used", "Time", duration),
    _number("memory", "Memory", size),
    _number("restarts", "Rst"),
    _number("handled", "All msgs"),
    _number("used", "All time", duration),
    Column("kind", "Kind"),
    Column("parent", "Parent"),
)
CONNECTIONS = (
    Column("id", "Id"),
    Column("name", "Name"),
    Column("user", "User"),
    Column("peer", "Address"),
    Column("state", "State"),
    _number("age", "Age", duration),
    _number("bytes_in", "In", size),
    _number("bytes_out", "Out", size),
    _number("round_trip", "Trip", duration),
    _number("backlog", "Backlog", size),
    Column("congested", "Slow"),
    Column("compressed", "Deflate"),
    Column("label", "Actor"),
)
ENTRIES = (
    Column("table", "Table", lambda table: clean(table or "(kernel)")),
    Column("key", "Name"),
    Column("ref", "Ref"),
    Column("label", "Label"),
    Column("value", "Value", lambda value: clean(value or "")),
)
TOPICS = (Column("table", "Table"), Column("key", "Topic"), _number("members", "Members"))
CRASHES = (
    _number("number", "No."),
    Column("at", "At", clock),
    Column("ref", "Ref"),
    Column("label", "Label"),
    Column("reason", "Reason"),
    _number("restarts", "Rst"),
)


def table(columns: Sequence[Column], rows: Iterable[Json]) -> list[str]:
    """Format rows as lines, below a line of headings."""
    cells = [[column.cell(row) for column in columns] for row in rows]
    titles = [column.title for column in columns]
    widths = [max(map(len, texts)) for texts in zip(titles, *cells, strict=True)]
    return ["  ".join(map(_aligned, columns, line, widths)).rstrip() for line in (titles, *cells)]


def _aligned(column: Column, text: str, width: int) -> str:
    return text.rjust(width) if column.is_number else text.ljust(width)


# Facts.


def actor_name(row: Json) -> str:
    """Return the name under which all views show an actor."""
    return f"{clean(row['label'])} <{row['ref']}>"


def overview_facts(seen: Json) -> list[tuple[str, str]]:
    """Return the overview as (name, text) pairs."""
    return [
        ("up", duration(seen["uptime"])),
        ("actors", amount(seen["actors"])),
        ("connections", amount(seen["connections"])),
        ("messages", rate(seen["messages_per_second"])),
        ("turns", rate(seen["turns_per_second"])),
        ("loop lag", duration(seen["loop_lag"])),
        ("memory", size(seen["memory"])),
        ("processor", share(seen["cpu"])),
        ("waiting", amount(seen["waiting"])),
        ("restarts", amount(seen["restarts"])),
        ("crashes", amount(seen["crashes"])),
        ("in", size(seen["bytes_in"])),
        ("out", size(seen["bytes_out"])),
        ("refused", amount(seen["refused"])),
        ("cut off", amount(seen["cut_off"])),
    ]


def actor_facts(seen: Json) -> list[tuple[str, str]]:
    """Return the details of one actor as (name, text) pairs, without its links and monitors."""
    row, spec = seen["actor"], seen["spec"]
    facts = [
        ("path", " / ".join(map(clean, seen["path"]))),
        ("kind", f"{clean(row['kind'])}, {row['state']}{', traced' if seen['is_traced'] else ''}"),
        ("mailbox", f"{amount(row['mailbox'])} waiting, {amount(row['peak'])} at most"),
        ("messages", f"{amount(row['handled'])}, {amount(row['recent'])} recently"),
        ("time", f"{duration(row['used'])}, {duration(row['recently_used'])} recently"),
        ("memory", size(row["memory"])),
        ("restarts", amount(row["restarts"])),
        ("handles now", amount(seen["message"])),
        ("name", amount(seen["name"])),
        ("keys", amount(seen["keys"])),
        ("connection", amount(seen["connection"])),
        ("traps exits", amount(seen["trap_exit"])),
    ]
    if spec is not None:
        more = [f"{name} {clean(spec[name])}" for name in ("budget", "backoff") if spec[name] is not None]
        terms = [clean(spec["restart"]), f"shutdown {clean(spec['shutdown'])}", clean(spec["type"]), *more]
        facts += [("child", f"{clean(spec['id'])}: {clean(spec['start'])}"), ("terms", ", ".join(terms))]
    return facts


def relations(seen: Json) -> Iterator[tuple[str, Json]]:
    """Yield the links and monitors of an actor, each with its kind."""
    for name, title in (("links", "link"), ("monitors", "monitors"), ("monitored_by", "monitored by")):
        for peer in seen[name]:
            yield title, peer


def crash_facts(seen: Json) -> list[tuple[str, str]]:
    """Return one crash as (name, text) pairs, without its traceback and its test."""
    row = seen["crash"]
    return [
        ("path", " / ".join(map(clean, seen["path"]))),
        ("at", clock(row["at"])),
        ("reason", clean(row["reason"])),
        *([] if row["asked_by"] is None else [("asked by", clean(row["asked_by"]))]),
        ("restarts", amount(row["restarts"])),
        ("message", clean(seen["message"])),
        *(("before", clean(message)) for message in reversed(seen["recent"])),
        *((f"self.{clean(name)}", clean(value)) for name, value in seen["state"].items()),
    ]


def trace_line(line: Json) -> str:
    """Format a line of a trace: a message that the actor received, or its reply."""
    caller = f" from {clean(line['caller'])}" if line["caller"] else ""
    return f"{line['after']:10.6f}  {line['kind']:7}  {clean(line['text'])}{caller}"


def aligned(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Format (name, text) pairs as aligned lines."""
    width = max((len(name) for name, _ in facts), default=0)
    return [f"{name:{width}}  {text}".rstrip() for name, text in facts]


def tree(node: Json, prefix: str = "", branch: str = "") -> list[str]:
    """Format the tree as lines."""
    lines = [f"{prefix}{branch}{actor_name(node)}  {node_facts(node)}"]
    inner = prefix + BRANCHES[branch]
    for number, below in enumerate(node["children"], start=1):
        lines += tree(below, inner, "└─ " if number == len(node["children"]) else "├─ ")
    return lines


def node_facts(node: Json) -> str:
    """Return the text that follows an actor's name in the tree."""
    return f"{clean(node['kind'])}, {node['state']}, {node['restarts']} restarts, {node['mailbox']} waiting"
