"""Pure. What became of the messages that painted: who is told what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canvas.board.errors import BadMessage
from canvas.live.room import Viewer


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one message of `viewer`.

    Attributes:
        id: what the client calls the message, of which no pixel waits any more; None if it is not to be acknowledged
        seq: the change after which the canvas shows what was not refused
        refused: why some pixels were refused; None if none was
        is_last: the connection of the viewer is to be told that it has been given its last answer
    """

    viewer: Viewer
    id: int | None
    seq: int
    refused: BadMessage | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """To a connection: the client has been told what became of all that it painted."""


def send_answers(answers: Iterable[Answer]) -> None:
    """Tell painters what became of their messages, in order: first what was refused, then that it is done."""
    acks: dict[Viewer, list[tuple[int, int]]] = {}
    answered: list[Viewer] = []
    for answer in answers:
        if answer.refused is not None:
            _send_acks(answer.viewer, acks.pop(answer.viewer, []))
            answer.viewer.wire.send(answer.viewer.view.codec.error(answer.refused))
        if answer.id is not None:
            acks.setdefault(answer.viewer, []).append((answer.id, answer.seq))
        if answer.is_last:
            answered.append(answer.viewer)
    for viewer, pairs in acks.items():
        _send_acks(viewer, pairs)
    for viewer in answered:
        viewer.ref.tell(Answered())


def _send_acks(viewer: Viewer, pairs: list[tuple[int, int]]) -> None:
    if pairs:
        viewer.wire.send(viewer.view.codec.ack(*pairs))
