"""Pure. Values as text for people: bounded in time and size whatever the value is, and without secrets.

`describe` shows values, for crash reports and the console; `outline` shows structure, for the log. Neither runs code of
the values' classes, such as a `repr`, a property or an iterator: it may fail, take long, or show too much.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    NoneType,
    WrapperDescriptorType,
)
from typing import Any
from uuid import UUID

from actors.exits import CallFailure, Crash
from actors.guard import attempt
from actors.ref import Ref

HIDDEN = "(hidden)"
"""Stands for a value that looks secret."""
LONGEST = 1_000
"""Characters of one value that `describe` shows."""
LONGEST_OUTLINE = 500
LONGEST_NAME = 100
"""Characters of a name of a class, a field or a process."""
LONGEST_TEXT = 200
"""Characters of one string, or bytes, inside a value."""
MOST_ITEMS = 8
"""Items of one collection, or attributes of one object, that are shown."""
DEEPEST = 5
"""Levels of a nested value that are shown."""
OPAQUE_BELOW = DEEPEST - 1
"""Levels at which an object shows its attributes: below, they are the insides of something else."""
MOST_SORTED = 100
"""Members up to which a set is shown in a fixed order, which differs between Python processes otherwise."""
MOST_BITS = 512
"""Above so many an integer is not written out: Python refuses to above 4,300 digits."""
MOST_CAUSES = 5
"""Failed calls that led to one another."""

_SECRET = re.compile(
    r"token|secret|passw|passphrase|passcode|credential|authori[sz]ation|cookie|session_?id|private|jwt|bearer"
    r"|(api|access|encryption|signing)_?key|connection_?str|database_url"
    r"|(^|_)(pass|pwd|pw|pin|sid|ssn|cvv|dsn|otp|auth|csrf|salt)(_|$)|(^|_)key$"
)
# Looking for these first is ten times as fast as the expressions that decide.
_IN_NAMES = (
    "token", "secret", "pass", "credential", "auth", "cookie", "session", "private", "jwt", "bearer", "key",
    "connection", "database", "pw", "pin", "sid", "ssn", "cvv", "dsn", "otp", "csrf", "salt",
)  # fmt: skip
_IN_TEXTS = (
    "token", "secret", "passw", "passphrase", "credential", "authorization", "cookie", "session", "jwt", "api", "pwd",
    "bearer", "basic", "://", "eyj",
)  # fmt: skip
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|\W+")
_ATOM = re.compile(r"[a-z_]{1,32}")
_IN_TEXT = re.compile(
    r"""(?P<name>(?:token|secret|passw|passphrase|credential|authorization|cookie|session_?id|jwt|api_?key|(?<![a-z])pwd)
        [\w-]{0,40}+\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?(?:(?:bearer|basic|digest)\s+)?) [^\s,;&"'\\]+
    |   (?P<scheme>\b(?:bearer|basic)\s+) [\w.~+/=-]{8,}
    |   (?P<user>://[^\s/:@]{0,100}+:) [^\s/@]+ (?=@)
    |   \beyJ[\w-]++\.[\w-]++(?:\.[\w-]*)?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_EMPTY = object()
_KEPT = ("name", "scheme", "user")
_ZONES = (NoneType, timezone)
_DATES = (date, timedelta)
_TIMES = (datetime, time)
PATHS = (PosixPath, PurePosixPath, WindowsPath, PureWindowsPath)

# What Python itself has about a class and an exception, although the class may have other ideas.
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
qualified_name_of: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_module_of: Callable[[type], Any] = type.__dict__["__module__"].__get__
_bases_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_namespace_of: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_arguments_of: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__
_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename"].__get__
_second_file_of: Callable[[BaseException], Any] = OSError.__dict__["filename2"].__get__
_PLAIN_TEXTS = (BaseExceptionGroup, UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


def describe(value: Any) -> str:
    """Show a value in at most `LONGEST` characters; what has a secret's name is hidden, nested too."""
    return attempt(_written, value, LONGEST, True, default=f"<{class_name(type(value))}>")


def outline(value: Any) -> str:
    """Show the structure of a value: classes, fields and sizes, and no text that a user may have written.

    Of values it shows None, booleans, numbers, enumeration members, references, classes, functions, and strings that
    look like an atom of Erlang: they tag messages.
    """
    return attempt(_written, value, LONGEST_OUTLINE, False, default=f"<{class_name(type(value))}>")


Show = Callable[[Any], str]
"""`describe` or `outline`."""


def describe_exception(exception: BaseException, show: Show = outline) -> str:
    """Show an exception as one line, `ValueError: jammed`.

    Its text is that of its `__str__`, which is shown in the log too; arguments that are no text are given to `show`.
    """
    return describe_reason(exception, show)


def describe_reason(reason: Any, show: Show = outline) -> str:
    """Show an exit reason as one line; exceptions and failed calls that carry another reason come before it."""
    texts: list[str] = []
    while len(texts) < MOST_CAUSES:
        if type(reason) is Crash:
            reason = reason.exception
        if type(reason) is CallFailure:
            texts.append(f"call to {_text_or_outline(reason.target)} failed")
            reason = reason.reason
        elif issubclass(type(reason), BaseException):
            texts.append(class_name(type(reason)))
            arguments = _arguments_of(reason)
            if _lookup(type(reason), "__str__") is not BaseException.__str__ or len(arguments) != 1:
                text = attempt(_text_of, reason, show, default="")
                return ": ".join([*texts, text] if text else texts)
            reason = arguments[0]
        else:
            break
    if issubclass(type(reason), str):
        texts.append(line(hide_in_text(reason), LONGEST_OUTLINE))
    else:
        texts.append(show(reason))
    return ": ".join(filter(None, texts))


def describe_state(
    state: Mapping[str, Any], *, size: int, seconds: float, clock: Callable[[], float]
) -> tuple[dict[str, str], bool]:
    """Attributes as texts, and whether something had to be left out.

    Args:
        state: name -> value
        size: characters in all
        seconds: after so long the rest is left out
        clock: tells the time
    """
    shown: dict[str, str] = {}
    deadline = clock() + seconds
    for name, value in state.items():
        if size <= 0 or clock() > deadline:
            return shown, True
        text = HIDDEN if is_secret(name) else describe(value)
        shown[name := _text_or_outline(name)] = text[:size]
        size -= len(name) + len(text)
    return shown, size < 0


def outline_state(state: Mapping[str, Any]) -> str:
    """Attributes and the structure of their values, as one line."""
    names = islice(state.items(), 4 * MOST_ITEMS)
    texts = [f"{_field_name(name)}={HIDDEN if is_secret(name) else outline(value)}" for name, value in names]
    return _joined(texts, len(state))[: 2 * LONGEST_OUTLINE]


def is_secret(name: Any) -> bool:
    """Tell whether what has this name should not be shown. The name may be any value; only some can be names."""
    kind = type(name)
    if issubclass(kind, enum.Enum) and is_secret(attribute_of(name, "_name_")):
        return True
    if issubclass(kind, bytes):
        text = _ends_of(bytes, name).decode("latin-1")
    elif issubclass(kind, str):
        text = _ends_of(str, name)
    else:
        return False
    if not _has_one(_IN_NAMES, text.lower()):
        return False
    return _SECRET.search(_WORDS.sub("_", text).lower()) is not None


def hide_in_text(text: str) -> str:
    """Replace what looks secret in a text, such as the password of a URL. Only the beginning of a long one is kept."""
    cut = str.__getitem__(text, slice(0, 2 * LONGEST_OUTLINE))
    shown = _IN_TEXT.sub(_hidden_match, cut) if _has_one(_IN_TEXTS, cut.lower()) else cut
    return shown + ("" if len(cut) == str.__len__(text) else "...")


def line(text: str, length: int = LONGEST) -> str:
    """`text` on one line: cut at `length`, with escapes in place of what cannot be printed or encoded."""
    cut = str.__getitem__(text, slice(0, length))
    shown = cut if cut.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
    return shown if str.__len__(text) <= length else shown + "..."


def class_name(kind: type) -> str:
    """The name of a class, short enough to be shown."""
    return line(_name_of(kind), LONGEST_NAME)


def _written(value: Any, length: int, shows_text: bool) -> str:
    text = _Writer(length, shows_text).write(value)
    return text if len(text) <= length else text[:length] + "..."


class _Writer:
    """Writes one value.

    Args:
        length: about so many characters are written before the rest is left out
        shows_text: write strings and bytes, and the items of collections
    """

    def __init__(self, length: int, shows_text: bool) -> None:
        self._left = length
        self._shows_text = shows_text

    def write(self, value: Any, level: int = DEEPEST) -> str:
        if self._left <= 0:
            return "..."
        text = self._plain(value)
        if text is None:
            self._left -= 8
            return self._nested(value, level)
        self._left -= len(text) + 2
        return text

    def _plain(self, value: Any) -> str | None:
        """What has nothing inside."""
        kind = type(value)
        if value is None or kind is bool or value is ... or value is NotImplemented:
            return repr(value)
        if issubclass(kind, enum.Enum):
            return f"{class_name(kind)}.{_member_name(value)}"
        if issubclass(kind, int):
            bits = int.bit_length(value)
            return int.__repr__(value) if bits <= MOST_BITS else f"<int of {bits} bits>"
        if issubclass(kind, float | complex):
            return float.__repr__(value) if issubclass(kind, float) else complex.__repr__(value)
        if issubclass(kind, str):
            return self._string(value)
        if issubclass(kind, bytes | bytearray):
            return self._bytes(value)
        if issubclass(kind, type):
            return f"<class {line(qualified_name_of(value), LONGEST_NAME)}>"
        if kind is Ref:
            return f"<{value.id} {_text_or_outline(value.label)}>"
        return _function(value) or (_stdlib(value) if self._shows_text else None)

    def _string(self, value: str) -> str:
        size = str.__len__(value)
        if not self._shows_text:
            return repr(str.__str__(value)) if size <= 32 and _ATOM.fullmatch(value) else f"str({size})"
        cut = hide_in_text(str.__getitem__(value, slice(0, 4 * LONGEST_TEXT)))[:LONGEST_TEXT]
        return repr(cut) if size <= LONGEST_TEXT else f"{cut!r}... ({size} characters)"

    def _bytes(self, value: bytes | bytearray) -> str:
        base = bytes if issubclass(type(value), bytes) else bytearray
        size = base.__len__(value)  # type: ignore[arg-type]
        if not self._shows_text:
            return f"{base.__name__}({size})"
        cut = base.__getitem__(value, slice(0, LONGEST_TEXT))  # type: ignore[index]
        text = hide_in_text(repr(cut))
        return text if size <= LONGEST_TEXT else f"{text}... ({size} bytes)"

    def _nested(self, value: Any, level: int) -> str:
        kind = type(value)
        name = class_name(kind)
        if issubclass(kind, dict):
            return self._dict(value, name, level)
        for base in (tuple, list, deque, set, frozenset):
            if issubclass(kind, base):
                return self._collection(value, base, name, level)
        if issubclass(kind, BaseException):
            arguments = _arguments_of(value)
            return f"{name}({self._items(arguments[:MOST_ITEMS], level, len(arguments))})" if level > 0 else name
        fields = fields_of(kind)
        if fields is not None:
            return self._record(name, _values(value, [each.name for each in fields if each.repr]), level)
        matched = _lookup(kind, "__match_args__")
        if type(matched) is tuple and matched and level > 0:
            return f"{name}({self._items([attribute_of(value, each) for each in matched[:MOST_ITEMS]], level)})"
        if not self._shows_text or level < OPAQUE_BELOW:
            return f"<{name}>"
        attributes = attributes_of(value)
        entries = self._entries(attributes.items(), len(attributes), level)
        return f"<{name} {entries}>" if entries else f"<{name}>"

    def _dict(self, value: dict[Any, Any], name: str, level: int) -> str:
        size = dict.__len__(value)
        if not self._shows_text:
            return f"{name}({size})"
        if level <= 0:
            return "{...}" if size else "{}"
        texts, hides = [], False
        for key, item in islice(dict.items(value), MOST_ITEMS):
            hidden = hides or is_secret(key)
            texts.append(f"{self.write(key, level - 1)}: {HIDDEN if hidden else self.write(item, level - 1)}")
            hides = is_secret(item)
        shown = "{" + _joined(texts, size) + "}"
        return shown if type(value) is dict else f"{name}({shown})"

    def _collection(self, value: Any, base: Any, name: str, level: int) -> str:
        size = base.__len__(value)
        if base is tuple and type(value) is not tuple:
            named = _lookup(type(value), "_fields")
            if type(named) is tuple and len(named) == size:
                return self._record(name, list(zip(named, tuple.__iter__(value), strict=True)), level)
        if not self._shows_text and base is not tuple:
            return f"{name}({size})"
        if level <= 0:
            return f"{name}(...)" if size else f"{name}()"
        is_ordered = base not in (set, frozenset)
        shown = MOST_ITEMS if is_ordered or size > MOST_SORTED else size
        items = self._items(islice(base.__iter__(value), shown), level, size, ordered=is_ordered)
        match base.__name__ if type(value) is base else "":
            case "tuple":
                return f"({items},)" if size == 1 else f"({items})"
            case "list":
                return f"[{items}]"
            case "set" if size:
                return f"{{{items}}}"
        if base is deque:
            return f"{name}([{items}])"
        return f"{name}({{{items}}})" if base in (set, frozenset) and size else f"{name}({items})"

    def _items(self, items: Iterable[Any], level: int, size: int | None = None, *, ordered: bool = True) -> str:
        """Items, but for one behind a secret's name: `("authorization", ...)`, `["--password", ...]`."""
        texts, hides = [], False
        for item in items:
            texts.append(HIDDEN if hides and ordered else self.write(item, level - 1))
            hides = is_secret(item)
        if not ordered:
            texts = sorted(texts)[:MOST_ITEMS]
        return _joined(texts, len(texts) if size is None else size)

    def _record(self, name: str, entries: list[tuple[str, Any]], level: int) -> str:
        return f"{name}({self._entries(entries, len(entries), level)})" if level > 0 else f"{name}(...)"

    def _entries(self, entries: Iterable[tuple[str, Any]], size: int, level: int) -> str:
        """Named values; one behind a value that is a secret's name is hidden: `Header(name="cookie", value=...)`."""
        texts, hides = [], False
        for name, value in islice(entries, MOST_ITEMS):
            hidden = hides or is_secret(name)
            texts.append(f"{_field_name(name)}={HIDDEN if hidden else self.write(value, level - 1)}")
            self._left -= min(len(name), LONGEST_NAME)
            hides = is_secret(value)
        return _joined(texts, size)


def _joined(texts: list[str], size: int) -> str:
    """The first items of a collection of so many."""
    return ", ".join([*texts, "..."] if size > len(texts) else texts)


def _ends_of(base: Any, name: Any) -> Any:
    """Both ends of a name: the middle of a very long one is not searched."""
    if base.__len__(name) <= 2 * LONGEST_NAME:
        return base.__getitem__(name, slice(None))
    return base.__getitem__(name, slice(0, LONGEST_NAME)) + base.__getitem__(name, slice(-LONGEST_NAME, None))


def _has_one(words: tuple[str, ...], text: str) -> bool:
    for word in words:  # noqa: SIM110  # twice as fast as a generator
        if word in text:
            return True
    return False


def _hidden_match(found: re.Match[str]) -> str:
    return next((found[group] for group in _KEPT if found[group] is not None), "") + HIDDEN


def _field_name(name: Any) -> str:
    is_name = type(name) is str and len(name) <= LONGEST_NAME and name.isidentifier()
    return str(name) if is_name else outline(name)


def _text_or_outline(name: Any) -> str:
    """A name that may be any value."""
    return line(hide_in_text(name), LONGEST_NAME) if issubclass(type(name), str) else outline(name)


def _member_name(member: enum.Enum) -> str:
    name = attribute_of(member, "_name_")
    return _text_or_outline(attribute_of(member, "_value_") if name is None else name)


def _function(value: Any) -> str | None:
    kind = type(value)
    if kind is MethodType:
        return _function(value.__func__)
    if kind is FunctionType or kind is BuiltinFunctionType:
        return f"<function {line(value.__qualname__ if kind is FunctionType else value.__name__, LONGEST_NAME)}>"
    return None


def _stdlib(value: Any) -> str | None:
    """Those of Python's own classes whose `repr` people know, and is short."""
    kind = type(value)
    is_known = (
        any(kind is each for each in _DATES)
        or (any(kind is each for each in _TIMES) and any(type(value.tzinfo) is zone for zone in _ZONES))
        or kind is UUID
    )
    if is_known:
        return repr(value)
    if any(kind is each for each in PATHS):
        return f"{class_name(kind)}({line(str(value), LONGEST_TEXT)!r})"
    return None


def _text_of(exception: BaseException, show: Show) -> str:
    """The text of an exception, which is its own business if its class has a `__str__`."""
    own, arguments = _lookup(type(exception), "__str__"), _arguments_of(exception)
    if own is KeyError.__str__ and len(arguments) == 1:
        return show(arguments[0])
    text: Any = None
    if own is not BaseException.__str__ and (type(own) is not WrapperDescriptorType or _has_plain_text(own, exception)):
        text = attempt(str, exception, default=None)
    if text is None:
        text = _text_of_arguments(arguments, show)
    return line(hide_in_text(text), LONGEST_OUTLINE)


def _has_plain_text(own: Any, exception: BaseException) -> bool:
    """Tell whether a `__str__` in C uses no `repr` of other objects."""
    if any(own is each.__str__ for each in _PLAIN_TEXTS):
        return True
    used = _arguments_of(exception)
    if issubclass(type(exception), OSError):
        used += _file_of(exception), _second_file_of(exception)
    return all(each is None or type(each) is int or type(each) is str for each in used)


def _text_of_arguments(arguments: tuple[Any, ...], show: Show) -> str:
    if not arguments:
        return ""
    first = arguments[0]
    texts = [repr(line(hide_in_text(first), LONGEST_TEXT)) if issubclass(type(first), str) else show(first)]
    hides = is_secret(first)
    for each in arguments[1:MOST_ITEMS]:
        texts.append(HIDDEN if hides else show(each))
        hides = is_secret(each)
    return f"({_joined(texts, len(arguments))})"


# What an object has, without running code of its class.


def _lookup(kind: type, name: str) -> Any:
    """What a class or its bases have under a name, as it stands there."""
    for base in _bases_of(kind):
        namespace = _namespace_of(base)
        if name in namespace:
            return namespace[name]
    return None


def fields_of(kind: type) -> list[dataclasses.Field[Any]] | None:
    """The fields of a data class; None of any other class."""
    fields = _lookup(kind, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    known = (each for each in fields.values() if type(each) is dataclasses.Field)
    return [each for each in known if each._field_type is dataclasses._FIELD]  # type: ignore[attr-defined]


def module_of(kind: type) -> str | None:
    """The module of a class, if it says so."""
    module = _module_of(kind)
    return module if type(module) is str and len(module) <= LONGEST_NAME else None


def _values(value: Any, names: list[str]) -> list[tuple[str, Any]]:
    return [(name, attribute_of(value, name)) for name in names]


def attribute_of(value: Any, name: str) -> Any:
    """An attribute that is kept in a slot or in the object's dictionary; else None."""
    own = _dictionary_of(value)
    if dict.__contains__(own, name):
        return dict.__getitem__(own, name)
    found = _lookup(type(value), name)
    if type(found) is MemberDescriptorType:
        return attempt(found.__get__, value, default=None)  # it may be empty
    return found if type(found) in (NoneType, bool, int, float, str) else None  # the default of a field


def attributes_of(value: Any) -> dict[str, Any]:
    """Attributes by name, at least as many as are shown."""
    shown = dict(islice(dict.items(_dictionary_of(value)), MOST_ITEMS + 1))
    for base in _bases_of(type(value)):
        names = _namespace_of(base).get("__slots__", ())
        for name in names[: MOST_ITEMS + 1] if type(names) in (tuple, list) else ():
            slot = _namespace_of(base).get(name)
            if type(slot) is MemberDescriptorType:
                shown.setdefault(name, attempt(slot.__get__, value, default=_EMPTY))
    return {name: each for name, each in shown.items() if type(name) is str and each is not _EMPTY}


def _dictionary_of(value: Any) -> dict[str, Any]:
    found = _lookup(type(value), "__dict__")
    own = found.__get__(value) if type(found) is GetSetDescriptorType else None
    return own if own is not None and issubclass(type(own), dict) else {}
