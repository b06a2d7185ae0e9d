"""Exit reasons of failed processes: crashes and failed calls, the exceptions that carry reasons, and their texts."""

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
"""Maximum length of a chain of failed calls that is shown."""

_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename"].__get__
_second_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename2"].__get__
_PLAIN_TEXTS = (BaseExceptionGroup, UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


@dataclass(frozen=True, slots=True)
class Crash:
    """The exit reason of a process whose callback raised `exception`."""

    exception: BaseException

    def __str__(self) -> str:
        return describe_reason(self)


@dataclass(frozen=True, slots=True)
class CallFailure:
    """The exit reason of a process that did not catch a `CallExit`: its call to `target` failed with `reason`."""

    reason: ExitReason
    target: Any

    def __str__(self) -> str:
        return describe_reason(self)


class ProcessExit(PortableException):
    """Raise this in a callback to exit with `reason` after `terminate` has run (Erlang's `exit/1`)."""

    def __init__(self, reason: ExitReason) -> None:
        super().__init__(reason)
        self.reason = reason


class CallExit(ProcessExit):
    """A call failed: the server exited, did not exist (`NOPROC`) or did not reply in time (`TIMEOUT`)."""

    def __init__(self, reason: ExitReason, target: Any) -> None:
        super().__init__(reason)
        self.target = target

    def __str__(self) -> str:
        return describe_reason(CallFailure(self.reason, self.target))


def reason_of(exception: BaseException) -> ExitReason:
    """Return the exit reason of a process whose callback raises `exception`."""
    match exception:
        case CallExit():
            return CallFailure(exception.reason, exception.target)
        case ProcessExit():
            return exception.reason
        case _:
            return Crash(exception)


def exception_in(reason: ExitReason) -> BaseException | None:
    """Return the exception of a `Crash`, or None for any other reason. A program may put any value into a `Crash`."""
    return reason.exception if type(reason) is Crash and issubclass(type(reason.exception), BaseException) else None


def release_frames(exception: BaseException | None) -> None:
    """Clear the local variables in the tracebacks of `exception`, its causes, contexts and group members.

    They would keep a dead process alive, with its sockets and locks, for as long as its exit reason is referenced.
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
    """Format an exception as one line, such as `ValueError: jammed`.

    The text of its `__str__` is shown, since its author wrote it to be read. Arguments other than text are described.
    """
    return describe_reason(exception)


def describe_reason(reason: Any) -> str:
    """Format an exit reason as one line, preceded by the exceptions and failed calls that carry it."""
    return examine_reason(reason).text


def examine_reason(reason: Any, *, shows_values: bool = False) -> Description:
    """Describe an exit reason, as `describe_reason`. The structure names classes, but holds no text of an exception."""
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
    """Return the text of an exception: that of its class's own `__str__`, if it has one."""
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
    """Return whether a `__str__` implemented in C calls no `repr` of other objects."""
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
    """Format the first argument of an exception: text and numbers are shown, anything else is described."""
    if issubclass(type(value), str):
        return repr(line(hide_in_text(value), LONGEST_TEXT))
    return describe(value, shows_values=shows_values or issubclass(type(value), int | float))
