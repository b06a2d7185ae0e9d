"""What may be painted: the rules, pure."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas.board.area import Area
from canvas.board.errors import BadMessage
from canvas.board.rules import CROWD, Cooldown, Cooldowns, Rules
from supervision.server.rate_limit import SHARE, Painter

RED, GREEN = 0xFF0000, 0x00FF00


def refusal(rules: Rules, x: int, y: int, color: int) -> str | None:
    try:
        rules.check(x, y, color)
    except BadMessage as error:
        return error.code
    return None


def test_without_rules_everything_may_be_painted() -> None:
    assert not Rules().are_strict
    assert refusal(Rules(), 0, 0, 0x123456) is None


def test_only_colours_of_the_palette_may_be_used() -> None:
    rules = Rules(palette=(RED,))
    assert rules.are_strict
    assert (refusal(rules, 0, 0, RED), refusal(rules, 0, 0, GREEN)) == (None, "color_not_allowed")


def test_locked_area_may_not_be_painted_and_its_border_is_exact() -> None:
    rules = Rules(locked=(Area(10, 20, 2, 3), Area(0, 0, 1, 1)))
    locked = {(x, y) for x in range(30) for y in range(30) if refusal(rules, x, y, RED) == "area_locked"}
    assert locked == {(0, 0), *((x, y) for x in (10, 11) for y in (20, 21, 22))}


def test_canvas_for_looking_cannot_be_painted() -> None:
    assert refusal(Rules(is_read_only=True), 5, 5, RED) == "read_only"


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "-1,0,1,1", "0,0,0,1", "a,b,c,d", "1.5,0,1,1",
                                  "0,0,1,0", "0,0,1,1_0", "+1,0,1,1", "0,0,1,\u0661", "0,0,1,1000000000", "0,0,1\n,1",
                                  f"0,0,1,{'9' * 5_000}"])  # fmt: skip
def test_what_is_no_area_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Area.parse(text)


def test_area_is_read_with_spaces_and_up_to_its_largest_number() -> None:
    assert Area.parse(" 0, 1 ,2,999999999") == Area(0, 1, 2, 999_999_999)


def test_cooldown_grows_with_the_crowd_up_to_its_longest() -> None:
    cooldown = Cooldown(1.0, 31.0)
    assert cooldown.seconds(1) == 1.0
    assert cooldown.seconds(0) == 1.0
    assert 1.0 < cooldown.seconds(CROWD // 2) < 31.0
    assert cooldown.seconds(CROWD) == cooldown.seconds(10 * CROWD) == 31.0


ANN, BOB = Painter("ann", "192.0.2.1"), Painter("bob", "192.0.2.2")


def test_second_pixel_waits_for_the_cooldown_and_other_users_do_not() -> None:
    cooldowns = Cooldowns(Cooldown(5.0, 5.0))
    cooldowns.begin(ANN, 2, 100.0)
    cooldowns.begin(BOB, 2, 101.0)
    with pytest.raises(BadMessage, match=r"wait 0\.5 s") as caught:
        cooldowns.begin(ANN, 2, 104.5)
    assert caught.value.retry_after == 0.5
    cooldowns.begin(ANN, 2, 105.0)
    with pytest.raises(BadMessage):
        cooldowns.check(ANN, 2, 109.9)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10)), max_size=50))
def test_nobody_paints_twice_within_the_cooldown(tries: list[tuple[str, float]]) -> None:
    cooldowns = Cooldowns(Cooldown(3.0, 3.0))
    now, last = 0.0, dict[str, float]()
    for user_id, step in tries:
        now += step
        may = user_id not in last or now >= last[user_id] + 3.0 - 1e-6
        try:
            cooldowns.begin(Painter(user_id, user_id), 1, now)
        except BadMessage:
            assert not may
        else:
            assert may
            last[user_id] = now


def test_wait_that_is_undone_is_none() -> None:
    cooldowns = Cooldowns(Cooldown(5.0, 5.0))
    cooldowns.undo(ANN, cooldowns.begin(ANN, 1, 0.0), 1.0)
    cooldowns.begin(ANN, 1, 1.0)
    with pytest.raises(BadMessage):
        cooldowns.begin(ANN, 1, 5.9)


def test_address_may_paint_as_many_pixels_in_a_cooldown_as_its_share_of_users() -> None:
    cooldowns = Cooldowns(Cooldown(20.0, 20.0))
    users = (Painter(f"user{number}", "192.0.2.1") for number in itertools.count())
    for _ in range(SHARE):
        cooldowns.begin(next(users), 1, 0.0)
    with pytest.raises(BadMessage) as caught:
        cooldowns.begin(next(users), 1, 0.0)
    assert caught.value.retry_after == pytest.approx(20.0 / SHARE)
    cooldowns.begin(next(users), 1, 20.0 / SHARE)
    cooldowns.begin(BOB, 1, 0.0)


def test_those_whose_wait_is_over_are_forgotten() -> None:
    cooldowns = Cooldowns(Cooldown(1.0, 1.0))
    for number in range(1_000):
        cooldowns.begin(Painter(f"user{number}", f"address{number}"), 1, number / 10)
    assert len(cooldowns) <= 2 * 11
