"""Pure. Which origins may open a WebSocket (RFC 6455 §10.2): a browser sends cookies whatever page opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#\s@]+)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins whose pages may open a WebSocket.

    Attributes:
        allowed: origins in lower case, without a default port; None for all
        same_host: the host of the request is allowed, too
    """

    allowed: frozenset[str] | None = frozenset()
    same_host: bool = True

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Origins:
        """Parse origins such as `https://example.org`, `same` for the host itself, and `*` for all.

        Raises:
            ValueError: if a text is not an origin.
        """
        names = [text.lower() for text in texts]
        if "*" in names:
            return ANY_ORIGIN
        origins = [name for name in names if name != "same"]
        for origin in origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"{origin!r} is not an origin like https://example.org")
        return cls(frozenset(map(_plain, origins)), "same" in names)

    def permit(self, origin: str | None, host: str) -> bool:
        """Whether a request with this Origin and this Host may open a WebSocket.

        A request without an Origin may: it does not come from a browser.
        """
        if origin is None or self.allowed is None:
            return True
        lowered = origin.lower()
        if _plain(lowered) in self.allowed:
            return True
        match = _ORIGIN.fullmatch(lowered)
        if match is None or not self.same_host:
            return False
        port = _DEFAULT_PORTS.get(match[1], "")
        return match[2].removesuffix(port) == host.lower().removesuffix(port)


SAME_HOST = Origins()
ANY_ORIGIN = Origins(allowed=None)


def _plain(origin: str) -> str:
    """Remove the default port of the scheme."""
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], ""))
