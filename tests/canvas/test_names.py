# ruff: noqa: RUF001  (letters that look like Latin ones are the point)
"""Names: any script and any emoji, and nothing that cannot be seen, whatever somebody sends."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.names import MAX_NAME, RESERVED, clean_name
from canvas.users.identity import read_name

GOOD = [
    "Ann", "Ann Lee", "Zoë", "O'Neil-Smith 3rd", "Þórður", "Nguyễn Thị Hằng", "Łukasz", "Анна", "Ελένη",
    "王小明", "佐藤 さくら", "김민준", "שָׁלוֹם", "محمد", "می\u200cخواهم", "کتاب\u200cها", "क्\u200dष",
    "क्\u200cष", "नमस्ते", "ශ්\u200dරී", "বাংলা", "தமிழ்", "ประเทศไทย", "ပြည်မြန်မာ", "བོད་སྐད", "ខ្មែរ",
    "አማርኛ", "👩\u200d💻", "👨\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "👋🏽", "👩🏽\u200d🚀", "❤\ufe0f",
    "1\ufe0f\u20e3", "🇫🇷", "🧑\u200d⚕\ufe0f", "DJ Вася", "...", "x²", "C#", "50 €",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_name_that_people_can_read_stays_as_it_is(name: str) -> None:
    assert clean_name(name) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""), (" ", ""), ("\u3164", ""), ("\u2800\u2800", ""), ("\u115f\u1160\uffa0", ""), ("\u0301", ""),
        ("\u200d", ""), ("\u200b\u2060\ufeff", ""), ("\ufe0f", ""), ("\U000e0041", ""), ("\u20e3", ""),
        ("\ue000", ""), ("\ufffd\ufffc", ""), ("\udfff", ""), ("\u17b4", ""), (" \u0301", ""), ("\u00ad", ""),
        ("An\u200bn", "Ann"), ("An\u200dn", "Ann"), ("An\u200cn", "Ann"), ("Ann\u3164", "Ann"),
        ("\u202eAnn", "Ann"), ("\u2066Ann\u2069", "Ann"), ("A\u034fnn", "Ann"), ("An\ufe0fn", "Ann"),
        ("Ann\U000e0041", "Ann"), ("An\u00adn", "Ann"), ("  Ann \u00a0\u3000 Lee\t", "Ann Lee"),
        ("Ann\n\x00Lee", "Ann Lee"), ("A\x1b[31m", "A[31m"), ("دا\u200cر", "دار"), ("م\u200c", "م"),
        ("\u200cم", "م"), ("क\u200dष", "कष"), ("👩\u200d", "👩"), ("👩\u200dA", "👩A"), ("क्\u200d", "क्"),
        ("e\u0301\u0300\u0302\u0303", "\u00e9\u0300\u0302"), ("ก\u0e47\u0e47\u0e47", "ก\u0e47"),
        ("A\u0e47", "A"), ("A\u0488", "A"), ("🏴\U000e0067\U000e0062", "🏴"), ("❤\ufe0f\ufe0f", "❤\ufe0f"),
        ("you", ""), ("YOU", ""), ("y\u200bou", ""), ("rollback", ""), ("Rollback ", ""), ("yours", "yours"),
        ("क्\u200d1", "क्1"), ("e\u0488\u0301", "\u00e9"), ("x" * 30 + "👨\u200d👩", "x" * 30 + "👨"),
        ("\u1000\u103b\u103c\u103d\u103e\u102f\u1036\u1037", "\u1000\u103b\u103c\u103d\u103e\u102f\u1036"),
        ("\u0410nn", ""), ("\u03b1lice", ""), ("x" * 33, "x" * 32), ("x" * 31 + " y", "x" * 31),
        ("x" * 31 + "👨\u200d👩\u200d👧", "x" * 31 + "👨"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_or_passes_for_another_is_left_out(text: str, name: str) -> None:
    assert clean_name(text) == name


NEEDED = "\u200c\u200d\ufe0f"
"""What cannot be seen by itself, and stands in names nevertheless."""
NEVER = ["\u200b", "\u202e", "\u2066", "\u2060", "\ufeff", "\u00ad", "\u3164", "\u2800", "\u034f", "\x00", "\x1b",
         "\ufffd", "\ue000", "\ud800", "\u0378", "\u115f"]  # fmt: skip
PIECES = st.one_of(
    st.characters(), st.sampled_from([*NEVER, *NEEDED, *GOOD, " ", "\u0301", "\u0e47", "\u094d", "🏴", "\U000e0067"])
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@given(TEXTS)
def test_any_text_gives_a_name_that_can_be_shown(text: str) -> None:
    name = clean_name(text)
    assert len(name) <= MAX_NAME
    assert len(name.encode()) <= 255
    assert name == name.strip()
    assert name.casefold() not in RESERVED
    categories = [unicodedata.category(char) for char in name if char not in NEEDED]
    tags = {char for char in name if "\U000e0020" <= char <= "\U000e007f"}
    assert not tags or "🏴" in name
    assert {each for each in categories if each[0] in "CZ"} <= {"Zs", *(["Cf"] if tags else [])}
    assert name == "" or any(each[0] in "LNPS" for each in categories)
    assert not name or categories[0][0] != "M"


@given(TEXTS)
def test_name_that_was_cleaned_stays_as_it_is(text: str) -> None:
    assert clean_name(clean_name(text)) == clean_name(text)


def with_noise(parts: list[str]) -> st.SearchStrategy[tuple[str, str]]:
    """The same text as it is, and with what is never seen behind any of its characters."""
    noise = st.tuples(*(st.lists(st.sampled_from(NEVER), max_size=2).map("".join) for _ in parts))
    return noise.map(lambda some: ("".join(parts), "".join(map("".join, zip(parts, some, strict=True)))))


LETTERS = [*"ab1 é", "م", "خ", "क", "\u094d", "ष", "👩", "💻", *NEEDED, "\u0301"]


@given(st.lists(st.sampled_from(LETTERS), max_size=12).flatmap(with_noise))
def test_names_that_differ_in_what_is_never_seen_are_the_same(both: tuple[str, str]) -> None:
    plain, noisy = both
    assert clean_name(noisy) == clean_name(plain)


@pytest.mark.parametrize(
    ("query", "name"),
    [("", ""), ("name=Ann", "Ann"), ("name=Bob&name=Ann", "Ann"), ("name=%FF", ""), ("name", ""), ("name=%00", ""),
     ("name=%D9%85%DB%8C%E2%80%8C%D8%AE", "می\u200cخ"), ("name=" + "%E3%85%A4" * 40, ""), ("name=a+b", "a b")],
)  # fmt: skip
def test_name_is_read_from_the_query(query: str, name: str) -> None:
    assert read_name(query) == name
