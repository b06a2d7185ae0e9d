"""A mailbox keeps messages in order and costs nothing while it is empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.kernel.mailbox import Mailbox


def filled(*messages: object, high_water: int = 10) -> Mailbox:
    mailbox = Mailbox(high_water)
    for message in messages:
        mailbox.append(message)
    return mailbox


def test_messages_come_out_in_the_order_they_went_in() -> None:
    assert list(filled(1, 2, 3).items or ()) == [1, 2, 3]


def test_a_prepended_message_comes_out_first() -> None:
    mailbox = filled(1, 2)
    mailbox.prepend(0)
    assert list(mailbox.items or ()) == [0, 1, 2]


def test_an_empty_mailbox_takes_a_prepended_message() -> None:
    mailbox = Mailbox()
    mailbox.prepend(0)
    assert list(mailbox.items or ()) == [0]


def test_an_empty_mailbox_holds_no_queue() -> None:
    assert Mailbox().items is None
    assert len(Mailbox()) == 0


def test_discard_removes_only_the_unwanted() -> None:
    mailbox = filled(1, 2, 3, 4)
    mailbox.discard(lambda message: message % 2 == 0)
    assert list(mailbox.items or ()) == [1, 3]


@given(st.lists(st.integers(0, 5), max_size=12), st.integers(0, 5))
def test_remove_takes_one_message_and_leaves_the_others_in_order(messages: list[int], wanted: int) -> None:
    mailbox = filled(*messages)
    mailbox.remove(lambda message: message == wanted)
    left = list(mailbox.items or ())
    without = [messages[:place] + messages[place + 1 :] for place, each in enumerate(messages) if each == wanted]
    assert left in (without or [messages])


@pytest.mark.parametrize("place", [0, 3, 500, 996, 999])
def test_remove_looks_at_no_more_messages_than_there_are_up_to_the_nearer_end(place: int) -> None:
    looked_at: list[object] = []
    mailbox = filled(*range(1_000))

    def is_wanted(message: object) -> bool:
        looked_at.append(message)
        return message == place

    mailbox.remove(is_wanted)
    assert len(mailbox) == 999
    assert len(looked_at) <= 2 * (min(place, 999 - place) + 1)


def test_remove_looks_at_each_message_once_at_most_if_none_is_wanted() -> None:
    looked_at: list[object] = []
    mailbox = filled(*range(1_000))

    def is_wanted(message: object) -> bool:
        looked_at.append(message)
        return False

    mailbox.remove(is_wanted)
    assert len(mailbox) == 1_000
    assert len(looked_at) <= 1_002


def test_remove_from_nothing_is_fine() -> None:
    mailbox = Mailbox()
    mailbox.remove(lambda message: True)
    assert len(mailbox) == 0


def test_discard_of_nothing_is_fine() -> None:
    mailbox = Mailbox()
    mailbox.discard(lambda message: True)
    assert len(mailbox) == 0


def test_high_water_is_reported_once_for_each_doubling() -> None:
    mailbox = Mailbox(high_water=2)
    reports = []
    for length in range(1, 10):
        mailbox.append(length)
        if mailbox.is_high():
            reports.append(length)
    assert reports == [3, 7]


def test_peak_is_the_longest_the_mailbox_was_at_a_turn() -> None:
    mailbox = filled(1, 2, 3)
    mailbox.is_high()
    mailbox.items = None
    mailbox.is_high()
    assert mailbox.peak == 3
