"""What a process ends with that failed: crashes, failed calls, the exceptions that carry reasons, and their text."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import WrapperDescriptorType
from typing import Any

from actors.anatomy import arguments_of, class_name, lookup
from actors.describe import LONGEST_TEXT, describe, examine, is_atom_of_ours, name_of
from actors.description import MOST_ITEMS, Description, Leaf
from actors.exits import ExitReason
from actors.guard import attempt
from actors.oneline import hide_in_text, line
from actors.portable import PortableException

LONGEST_REASON = 500
MOST_CAUSES = 5
"""Failed calls that led to one another."""

_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename"].__get__
_second_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename2"].__get__
_PLAIN_TEXTS = (BaseExceptionGroup, UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception that no callback caught."""

    exception: BaseException

    def __str__(self) -> str:
        return describe_reason(self)


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that failed with `reason` and that the caller did not catch."""

    reason: ExitReason
    target: Any

    def __str__(self) -> str:
        return describe_reason(self)


class ProcessExit(PortableException):
    """Raised in a callback, it ends the process with `reason` (Erlang's `exit/1`); `terminate` runs."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason


class CallExit(ProcessExit):
    """A call failed: the server ended, was not there (`NOPROC`) or did not answer in time (`TIMEOUT`)."""

    def __init__(self, reason: ExitReason, target: Any) -> None:
        super().__init__(reason)
        self.target = target

    def __str__(self) -> str:
        return describe_reason(CallFailure(self.reason, self.target))


def reason_of(exception: BaseException) -> ExitReason:
    """The reason a process ends with when `exception` leaves a callback."""
    match exception:
        case CallExit():
            return CallFailure(exception.reason, exception.target)
        case ProcessExit():
            return exception.reason
        case _:
            return Crash(exception)


def exception_in(reason: ExitReason) -> BaseException | None:
    """The exception of a `Crash`, or None for every other reason; a program may have put any value into one."""
    return reason.exception if type(reason) is Crash and issubclass(type(reason.exception), BaseException) else None


def release_frames(exception: BaseException | None) -> None:
    """Clear the local variables that the tracebacks of `exception` and of those behind it hold.

    They would keep a dead process alive, with its sockets and locks, for as long as somebody looks at its exit reason.
    The lines of the traceback stay.
    """
    seen: set[int] = set()
    waiting = [exception]
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        waiting += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions


# Texts.


def describe_exception(exception: BaseException) -> str:
    """Show an exception as one line, `ValueError: jammed`.

    Its text, which is that of its `__str__`, is its author's: it is shown. Arguments that are no text are described.
    """
    return describe_reason(exception)


def describe_reason(reason: Any) -> str:
    """Show an exit reason as one line; exceptions and failed calls that carry another reason come before it."""
    return examine_reason(reason).text


def examine_reason(reason: Any, *, shows_values: bool = False) -> Description:
    """Look at an exit reason; see `describe_reason`. Its structure names classes, and no text of an exception."""
    texts: list[str] = []
    kinds: list[str] = []
    while len(texts) < MOST_CAUSES:
        if type(reason) is Crash:
            reason = reason.exception
        if type(reason) is CallFailure:
            texts.append(f"call to {name_of(reason.target)} failed")
            kinds.append(texts[-1])
            reason = reason.reason
        elif issubclass(type(reason), BaseException):
            texts.append(class_name(type(reason)))
            kinds.append(texts[-1])
            arguments = arguments_of(reason)
            if lookup(type(reason), "__str__") is not BaseException.__str__ or len(arguments) != 1:
                text = attempt(_text_of, reason, shows_values, default="")
                return Leaf(": ".join(kinds), ": ".join([*texts, text] if text else texts))
            reason = arguments[0]
            if issubclass(type(reason), str | int | float):
                text = reason if issubclass(type(reason), str) else _argument(reason, shows_values)
                texts.append(line(hide_in_text(text), LONGEST_REASON))
                return Leaf(": ".join(kinds), ": ".join(filter(None, texts)))
        else:
            break
    last = examine(reason, shows_values=shows_values)
    is_text = issubclass(type(reason), str)
    kinds.append(reason if is_atom_of_ours(reason) else last.structure)
    texts.append(line(hide_in_text(reason), LONGEST_REASON) if is_text else last.text)
    return Leaf(": ".join(kinds), ": ".join(filter(None, texts)))


def _text_of(exception: BaseException, shows_values: bool) -> str:
    """The text of an exception, which is its own business if its class has a `__str__`."""
    own, arguments = lookup(type(exception), "__str__"), arguments_of(exception)
    if own is KeyError.__str__ and len(arguments) == 1:
        return _argument(arguments[0], shows_values)
    text: Any = None
    if own is not BaseException.__str__ and (type(own) is not WrapperDescriptorType or _has_plain_text(own, exception)):
        text = attempt(str, exception, default=None)
    if text is None:
        text = _text_of_arguments(arguments, shows_values)
    return line(hide_in_text(text), LONGEST_REASON)


def _has_plain_text(own: Any, exception: BaseException) -> bool:
    """Tell whether a `__str__` in C uses no `repr` of other objects."""
    if any(own is each.__str__ for each in _PLAIN_TEXTS):
        return True
    used = arguments_of(exception)
    if issubclass(type(exception), OSError):
        used += _file_of(exception), _second_file_of(exception)
    return all(each is None or type(each) is int or type(each) is str for each in used)


def _text_of_arguments(arguments: tuple[Any, ...], shows_values: bool) -> str:
    if not arguments:
        return ""
    first = _argument(arguments[0], shows_values)
    others = [describe(each, shows_values=shows_values) for each in arguments[1:MOST_ITEMS]]
    more = ["..."] if len(arguments) > MOST_ITEMS else []
    return f"({', '.join([first, *others, *more])})"


def _argument(value: Any, shows_values: bool) -> str:
    """The first argument of an exception: its text, if it is one, or a number."""
    if issubclass(type(value), str):
        return repr(line(hide_in_text(value), LONGEST_TEXT))
    return describe(value, shows_values=shows_values or issubclass(type(value), int | float))
