"""Stack traces of exceptions as text, with bounded size and without the values of variables."""

from __future__ import annotations

import linecache
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeAlias

from actors.describe import LONGEST_TEXT
from actors.description import Description, Leaf
from actors.failures import examine_reason
from actors.guard import attempt
from actors.oneline import line

FIRST_FRAMES, LAST_FRAMES = 5, 20
"""Maximum numbers of the first and the last frames of one traceback that are shown."""
MOST_EXCEPTIONS = 8
"""Maximum number of exceptions that are shown, with causes, contexts and group members."""
MOST_LINES = 200
LARGEST_SOURCE = 4 * 1024 * 1024
"""Maximum size in bytes of a source file from which lines are read."""

Line: TypeAlias = tuple[str, Description]
"""A prefix, and the line."""

# Python's own attributes of an exception, which its class may override.
_traceback_of: Callable[[BaseException], TracebackType | None] = BaseException.__dict__["__traceback__"].__get__
_cause_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__cause__"].__get__
_context_of: Callable[[BaseException], BaseException | None] = BaseException.__dict__["__context__"].__get__
_hides_context: Callable[[BaseException], bool] = BaseException.__dict__["__suppress_context__"].__get__
_members_of: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


def describe_stacktrace(exception: BaseException) -> str:
    """Format an exception, its stack and what led to it, as Python does, but with the same texts as the log."""
    return examine_stacktrace(exception).text


@dataclass(frozen=True, slots=True)
class Stacktrace:
    """The lines of a stack trace: frames and exceptions.

    Attributes:
        text: the trace with the texts of the exceptions
        structure: the trace without them
    """

    lines: tuple[Line, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(prefix + what.as_text(True) for prefix, what in self.lines)

    @property
    def structure(self) -> str:
        return "\n".join(prefix + what.as_text(False) for prefix, what in self.lines)


def examine_stacktrace(exception: BaseException, *, shows_values: bool = False) -> Stacktrace:
    """Describe an exception and what led to it; see `describe_stacktrace`."""
    lines = attempt(_whole, exception, shows_values, default=[("", examine_reason(exception))])
    left_out = len(lines) - MOST_LINES
    if left_out > 0:  # keep the end, which says what happened
        lines = [("", Leaf(f"  [{left_out} lines]")), *lines[left_out:]]
    return Stacktrace(tuple(lines))


def _whole(exception: BaseException, shows_values: bool) -> list[Line]:
    return list(_chain(exception, set(), shows_values))


def _chain(exception: BaseException, seen: set[int], shows_values: bool) -> Iterator[Line]:
    """Yield the lines of an exception, after those of the exceptions that led to it."""
    chain: list[tuple[BaseException, str | None]] = []
    following: tuple[BaseException | None, str | None] = exception, None
    while following[0] is not None and id(following[0]) not in seen and len(seen) < MOST_EXCEPTIONS:
        current, link = following
        assert current is not None
        seen.add(id(current))
        chain.append((current, link))
        cause = _cause_of(current)
        if cause is not None:
            following = cause, _CAUSE
        else:
            following = None if _hides_context(current) else _context_of(current), _CONTEXT
    for current, link in reversed(chain):
        yield from _one(current, seen, shows_values)
        if link is not None:
            yield from (("", Leaf(each)) for each in ("", link, ""))


def _one(exception: BaseException, seen: set[int], shows_values: bool) -> Iterator[Line]:
    trace = _traceback_of(exception)
    if trace is not None:
        yield "", Leaf("Traceback (most recent call last):")
        yield from (("", Leaf(each)) for each in _frames(trace))
    yield "", examine_reason(exception, shows_values=shows_values)
    if issubclass(type(exception), BaseExceptionGroup):
        members = _members_of(exception)
        for member in members[:MOST_EXCEPTIONS]:
            if id(member) not in seen and len(seen) < MOST_EXCEPTIONS:
                yield from ((f"  | {prefix}", what) for prefix, what in _chain(member, seen, shows_values))
        if len(members) > MOST_EXCEPTIONS:
            yield "  | ", Leaf(f"[{len(members)} exceptions]")


def _frames(trace: TracebackType) -> Iterator[str]:
    places: list[Any] = []
    left_out = 0
    following: TracebackType | None = trace
    while following is not None:
        places.append(following)
        if len(places) > FIRST_FRAMES + LAST_FRAMES:
            del places[FIRST_FRAMES]
            left_out += 1
        following = following.tb_next
    for index, place in enumerate(places):
        if left_out and index == FIRST_FRAMES:
            yield f"  [{left_out} frames]"
        code = place.tb_frame.f_code
        file, function = line(code.co_filename, LONGEST_TEXT), line(code.co_name, LONGEST_TEXT)
        yield f'  File "{file}", line {place.tb_lineno}, in {function}'
        source = attempt(_source_line, code.co_filename, place.tb_lineno, default="")
        if source:
            yield f"    {source}"


def _source_line(file: str, number: int) -> str:
    """Return one line of a source file. The file is read once: `linecache` does not check it for changes."""
    return line(linecache.getline(file, number).strip(), LONGEST_TEXT) if _is_readable(file) else ""


@lru_cache(1_024)
def _is_readable(file: str) -> bool:
    """Return whether a file can be read quickly: a regular file, and not too large."""
    if file in linecache.cache:  # `doctest` and notebooks put their sources there
        return True
    if file.startswith("<"):
        return False
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_SOURCE
