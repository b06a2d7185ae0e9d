"""Pure. Untrusted text on one line: it cannot forge a line, move a cursor or reverse the text direction."""

from __future__ import annotations

import re

HIDDEN = "(hidden)"
"""Replaces what looks like a password in a text."""
LONGEST = 1_000
LONGEST_NAME = 100
"""Maximum length in characters of the name of a class, a field or a process."""

_IN_TEXTS = (
    "token", "secret", "passw", "passphrase", "credential", "authorization", "cookie", "session", "jwt", "api", "pwd",
    "bearer", "basic", "://", "eyj",
)  # fmt: skip
_IN_TEXT = re.compile(
    r"""(?P<name>(?:token|secret|passw|passphrase|credential|authorization|cookie|session_?id|jwt|api_?key|(?<![a-z])pwd)
        [\w-]{0,40}+\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?(?:(?:bearer|basic|digest)\s+)?) [^\s,;&"'\\]+
    |   (?P<scheme>\b(?:bearer|basic)\s+) [\w.~+/=-]{8,}
    |   (?P<user>://[^\s/:@]{0,100}+:) [^\s/@]+ (?=@)
    |   \beyJ[\w-]++\.[\w-]++(?:\.[\w-]*)?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_KEPT = ("name", "scheme", "user")


def line(text: str, length: int = LONGEST) -> str:
    """Return `text` on one line, truncated to `length` characters and made `visible`."""
    cut = str.__getitem__(text, slice(0, length))
    return visible(cut) if str.__len__(text) <= length else visible(cut) + "..."


def visible(text: str) -> str:
    """Escape line ends, control characters, invisible and bidirectional characters, and unassigned code points.

    (Python: `str.isprintable`)
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def hide_in_text(text: str) -> str:
    """Replace what looks like a secret, such as the password in a URL, and truncate a long text.

    This is a best effort for the texts of exceptions and logs, which are shown; it guarantees nothing.
    """
    cut = str.__getitem__(text, slice(0, LONGEST))
    shown = _IN_TEXT.sub(_hidden_match, cut) if _has_one(_IN_TEXTS, cut.lower()) else cut
    return shown + ("" if len(cut) == str.__len__(text) else "...")


def _has_one(words: tuple[str, ...], text: str) -> bool:
    for word in words:  # noqa: SIM110  # twice as fast as a generator
        if word in text:
            return True
    return False


def _hidden_match(found: re.Match[str]) -> str:
    return next((found[group] for group in _KEPT if found[group] is not None), "") + HIDDEN
