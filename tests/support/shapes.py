"""How a secret may lie in a value: under names that tell of it and names that do not, in every kind of container."""

import argparse
import collections
import dataclasses
import enum
import functools
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from actors import CallFailure, Cast, Crash, StartError

Shape = Callable[[Any], Any]


@dataclasses.dataclass
class Login:
    user: str
    password: Any
    noise: str = dataclasses.field(default="", repr=False)


@dataclasses.dataclass
class OwnRepr:
    password: Any

    def __repr__(self) -> str:
        return f"OwnRepr({self.password})"


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    harmless: Any


class Header(NamedTuple):
    name: Any
    value: Any


class Setting(enum.Enum):
    PASSWORD = 1


class Vault:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def __repr__(self) -> str:
        return f"Vault({vars(self)})"


class Slotted:
    __slots__ = ("api_key",)

    def __init__(self, api_key: Any) -> None:
        self.api_key = api_key


class Matched:
    __match_args__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Text(str):
    __slots__ = ()


class Keyed(dict[Any, Any]):
    pass


def _text(secret: Any) -> str:
    return f"postgresql://ann:{secret}@db/canvas"


def _under(name: str, secret: Any) -> dict[str, Any]:
    return {name: secret}


SHAPES: dict[str, Shape] = {
    "bare": lambda secret: secret,
    "text": lambda secret: f"x {secret} y",
    "text of a class": lambda secret: Text(secret),
    "bytes": lambda secret: str(secret).encode(),
    "bytearray": lambda secret: bytearray(str(secret).encode()),
    "memory": lambda secret: memoryview(str(secret).encode()),
    **{
        f"under {name}": functools.partial(_under, name)
        for name in ("password", "pwd", "pass", "jwt", "auth", "dsn", "sessionid", "apikey", "keys", "sid", "pin",
                     "otp", "signature", "bearer", "token", "X-Api-Key", "harmless")
    },
    "key": lambda secret: {secret: 1},
    "key that is an identifier": lambda secret: {f"k{secret}".replace("-", "_").replace("K", "k"): secret},
    "key of bytes": lambda secret: {b"authorization": secret},
    "key of an enumeration": lambda secret: {Setting.PASSWORD: secret},
    "deep": lambda secret: {"a": {"b": {"token": secret}}},
    "ordered dictionary": lambda secret: collections.OrderedDict(dsn=secret),
    "default dictionary": lambda secret: collections.defaultdict(str, jwt=secret),
    "counter": lambda secret: collections.Counter([secret]),
    "chain": lambda secret: collections.ChainMap({"password": secret}),
    "user dictionary": lambda secret: collections.UserDict(password=secret),
    "dictionary of a class": lambda secret: Keyed(password=secret),
    "proxy": lambda secret: types.MappingProxyType({"password": secret}),
    "view": lambda secret: {"password": secret}.items(),
    "list": lambda secret: [secret],
    "list of dictionaries": lambda secret: [{"pwd": secret}],
    "tuple": lambda secret: ("login", "ann", secret),
    "pairs": lambda secret: [("Cookie", secret), (b"cookie", secret)],
    "arguments": lambda secret: ["curl", "--password", secret],
    "set": lambda secret: {secret},
    "frozen set": lambda secret: frozenset({("token", secret)}),
    "deque": lambda secret: collections.deque([{"pwd": secret}]),
    "data class": lambda secret: Login("ann", secret),
    "data class with a repr": OwnRepr,
    "data class with slots": Order,
    "data class of another": lambda secret: Order(Order(secret)),
    "made data class": lambda secret: dataclasses.make_dataclass("Config", ["harmless"])(secret),
    "named tuple": lambda secret: Header("authorization", secret),
    "made named tuple": lambda secret: collections.namedtuple("Config", ["harmless"])(secret),
    "object": lambda secret: Vault(token=secret),
    "object in an object": lambda secret: Vault(inner=Vault(harmless=secret)),
    "object with slots": Slotted,
    "object to be matched": Matched,
    "namespace": lambda secret: types.SimpleNamespace(api_key=secret),
    "arguments of a program": lambda secret: argparse.Namespace(harmless=secret),
    "partial": lambda secret: functools.partial(print, secret, password=secret),
    "function": lambda secret: lambda: secret,
    "cast": lambda secret: Cast(Login("ann", secret)),
    "crash": lambda secret: Crash(ValueError(f"bad password {secret}")),
    "exception": lambda secret: ValueError(f"bad password {secret}"),
    "exception of things": lambda secret: ValueError("login", Login("ann", secret)),
    "key error": KeyError,
    "failed call": lambda secret: CallFailure({"token": secret}, "db"),
    "failed start": lambda secret: StartError(Crash(ValueError({"token": secret}))),
    "address": _text,
    "header": lambda secret: f"Authorization: Bearer {secret}",
    "form": lambda secret: f"password={secret}&user=ann",
    "JSON": lambda secret: f'{{"token": "{secret}"}}',
    "request": lambda secret: f"GET / HTTP/1.1\r\nCookie: {secret}\r\n".encode(),
}  # fmt: skip

SECRETS = ("S3CRET-123", "swordfish", 4711_0815)
"""A text like a password, one like a word, and a number."""
