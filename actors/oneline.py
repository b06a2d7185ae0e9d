"""Pure. Texts of others on one line: nothing in them can forge a line, move a cursor or turn the text around."""

from __future__ import annotations

import re

HIDDEN = "(hidden)"
"""Stands for what looks like a password in a text."""
LONGEST = 1_000
LONGEST_NAME = 100
"""Characters of a name of a class, a field or a process."""

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
    """`text` on one line: cut at `length`, and made `visible`."""
    cut = str.__getitem__(text, slice(0, length))
    return visible(cut) if str.__len__(text) <= length else visible(cut) + "..."


def visible(text: str) -> str:
    """`text` with escapes in place of what ends lines, controls terminals, is invisible, turns text or is no character.

    (Python: `str.isprintable`)
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def hide_in_text(text: str) -> str:
    """Replace what looks secret in a text, such as the password of a URL. Only the beginning of a long one is kept.

    That is a net for the texts of exceptions and logs, which are shown; it promises nothing.
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
