"""A mailbox keeps messages in order and costs nothing while it is empty."""

from actors.mailbox import Mailbox


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
