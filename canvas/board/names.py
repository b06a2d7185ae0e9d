"""Pure. Valid names of users: visible, readable text in any script.

`clean_name` removes whatever is invisible or draws over its neighbours: control and direction characters, fillers,
marks without a letter, stacks of marks. A joiner stays where a script or an emoji needs it. The rest is the name; if
nothing visible is left, or if the name imitates another user, the user has none. A name must not imitate an id, either:
callers that know the ids in use check that with `beginning`.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 32
"""Maximum number of characters in a name; the rest is cut off."""
MAX_MARKS = 6
"""Maximum number of different marks on one letter: the scripts of South East Asia need as many."""
MAX_FREE_MARKS = 2
"""Maximum number among these of marks that belong to no script, such as accents."""
SHOWN_OF_ID = 6
"""Characters of a user id that the page shows in place of a name. They are enough to report a user to a moderator."""
RESERVED = frozenset({"you", "rollback"})
"""Words that the page shows in place of a name."""

ZWNJ, ZWJ = "\u200c", "\u200d"
_JOINERS = ZWNJ + ZWJ
_VIRAMA = 9
"""The combining class of the mark that joins two consonants of an Indic script."""
_EMOJI_STYLE = "\ufe0f"
_SEQUENCE = re.compile(
    "[0-9#*]\ufe0f\u20e3"  # a keycap
    "|\U0001f3f4[\U000e0030-\U000e007a]{2,7}\U000e007f"  # the flag of a region, like that of Scotland
    "|.",
    re.DOTALL,
)

_UNSEEN = frozenset(
    "\u034f"  # COMBINING GRAPHEME JOINER
    "\u115f\u1160\u3164\uffa0"  # fillers of Hangul
    "\u17b4\u17b5"  # inherent vowels of Khmer
    "\u2800"  # BRAILLE PATTERN BLANK
    "\ufffc\ufffd"  # OBJECT REPLACEMENT CHARACTER, REPLACEMENT CHARACTER
    "\U00013441\U00013442"  # blanks of hieroglyphs
    "\U00016fe4"  # KHITAN SMALL SCRIPT FILLER
    "\U0001d159"  # MUSICAL SYMBOL NULL NOTEHEAD
)
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_CURSIVE = frozenset({"ARABIC", "SYRIAC", "NKO", "MANDAIC", "MONGOLIAN"})
_UNJOINED = frozenset("ءآأؤإاةدذرزوٱڈڑژۀەۇۈۋ")
"""Arabic letters that never join the next one: a ZWNJ after them has no effect."""
_LOOKALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK"})
"""Scripts whose letters look alike: no word needs two of them."""


def clean_name(text: str) -> str:
    """Return `text` as a valid name; "" if none is left."""
    name = text
    while (cleaned := _clean_once(name)) != name:  # a removal can make characters neighbours that affect each other
        name = cleaned
    return "" if name.casefold() in RESERVED or _imitates(name) else name


def beginning(text: str) -> str:
    """Return the visible start of an id or a name, normalised: a name that starts like an id could pass for it."""
    return unicodedata.normalize("NFKC", text).casefold()[:SHOWN_OF_ID]


def titled(user_id: str, name: str) -> str:
    """Return a user's name and id as text; the id alone if there is no name."""
    return f"{name} ({user_id})" if name else user_id


def _clean_once(text: str) -> str:
    plain = unicodedata.normalize("NFC", "".join(char for char in text if not _is_never_seen(char)))
    parts = [match[0] for match in _SEQUENCE.finditer(plain)]
    kept: list[str] = []
    size = 0
    for part, following in zip(parts, [*parts, " "][1:], strict=True):
        if len(part) == 1 and not _may_follow(kept, part, following):
            continue
        size += len(part)
        if size > MAX_NAME:
            break
        kept.append(" " if part.isspace() else part)
    return "".join(kept).rstrip(" ")


def _is_never_seen(char: str) -> bool:
    if char in _UNSEEN:
        return True
    may_be_needed = char in _JOINERS or char.isspace() or _is_tag(char)
    return unicodedata.category(char) in _UNSEEN_CATEGORIES and not may_be_needed


def _may_follow(kept: list[str], char: str, following: str) -> bool:
    """Return whether a character may stand between the kept ones and `following`."""
    category = unicodedata.category(char)
    if char.isspace():
        return bool(kept) and kept[-1] != " "
    if char in _JOINERS:
        return _joins(kept, char, following)
    if char == _EMOJI_STYLE:
        return bool(kept) and _is_emoji(kept[-1])
    if category in ("Mn", "Mc"):
        return _is_carried(kept, char)
    return category != "Me" and not _is_tag(char)


def _joins(kept: list[str], joiner: str, following: str) -> bool:
    """Return whether a joiner changes how its neighbours look (as in IDNA, RFC 5892 A.1 and A.2)."""
    if not kept:
        return False
    if unicodedata.combining(kept[-1][-1]) == _VIRAMA:
        return _is_letter(following)
    if joiner == ZWJ:
        return (kept[-1] == _EMOJI_STYLE or _is_emoji(kept[-1])) and _is_emoji(following)
    base = next((part for part in reversed(kept) if not _is_mark(part)), "")
    return base not in _UNJOINED and _script(base) in _CURSIVE and _script(following) in _CURSIVE


def _is_carried(kept: list[str], mark: str) -> bool:
    """Return whether the letter before a mark can carry it in addition to the marks that it has."""
    marks: list[str] = []
    for part in reversed(kept):
        if not _is_mark(part):
            break
        marks.append(part)
    base = kept[-1 - len(marks)] if len(marks) < len(kept) else ""
    if not (_is_letter(base) or base.isnumeric()) or mark in marks or len(marks) >= MAX_MARKS:
        return False
    script = _script(mark)
    if "VARIATION SELECTOR" in unicodedata.name(mark, ""):
        return False
    if script == "COMBINING":
        return sum(_script(each) == script for each in marks) < MAX_FREE_MARKS
    return script == _script(base)


def _imitates(name: str) -> bool:
    """Return whether a word mixes scripts whose letters look alike."""
    return any(len({_script(char) for char in word} & _LOOKALIKE) > 1 for word in name.split(" "))


def _script(char: str) -> str:
    """Return the first word of a character's Unicode name: the script, for letters and most marks."""
    return unicodedata.name(char, "").partition(" ")[0] if len(char) == 1 else ""


def _is_letter(char: str) -> bool:
    return len(char) == 1 and unicodedata.category(char)[0] == "L"


def _is_mark(char: str) -> bool:
    return char != _EMOJI_STYLE and len(char) == 1 and unicodedata.category(char) in ("Mn", "Mc")


def _is_emoji(part: str) -> bool:
    """Return whether `part` is a symbol, a skin tone, or a sequence."""
    return len(part) > 1 or unicodedata.category(part) in ("So", "Sm", "Sk")


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= "\U000e007f"
