"""Pure. The answers to messages that painted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canvas.board.errors import BadMessage
from canvas.live.room import Viewer


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to one message of `viewer`.

    Attributes:
        id: the client's id of the message, if it is complete and to be acknowledged; else None
        seq: the change after which the canvas shows all of the message that was not refused
        refused: why pixels were refused; None if none were
        is_last: whether to tell the viewer's connection that this is its last answer
    """

    viewer: Viewer
    id: int | None
    seq: int
    refused: BadMessage | None = None
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """To a connection actor: everything that the client painted has been answered."""


def send_answers(answers: Iterable[Answer]) -> None:
    """Send answers in order, the refusals of a message before its acknowledgement."""
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
