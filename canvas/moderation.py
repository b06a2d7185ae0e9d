"""Keeping people out, and sending away those who are there. For the admin API and the console."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from actors.log import get_logger
from canvas.bans import Ban, Bans
from canvas.room import TOPIC, Viewer
from protocol import HttpError
from registry import Table
from supervision.console import Access, Asked, Parameter, Route

log = get_logger("canopy.canvas")

PATH = "/api/v1/bans"


@dataclass(frozen=True, slots=True)
class Unbanned:
    """A user, an address or a network may come in again."""

    unbanned: str


class Moderation:
    """Bans users and addresses.

    Args:
        bans: where the bans are kept
        viewers: who is there
    """

    def __init__(self, bans: Bans, viewers: Table[Viewer]) -> None:
        self._bans = bans
        self._viewers = viewers

    def ban(self, whom: str, reason: str = "", seconds: float | None = None) -> Ban:
        """Keep a user, an address or a network out, and send away whoever of them is there.

        Raises:
            OSError: if it cannot be kept; then it does not hold.
        """
        ban = self._bans.add(whom, reason, seconds)
        log.warning("moderation.banned", whom=ban.whom, reason=reason, seconds=seconds)
        for viewer in list(self._viewers.values(TOPIC)):
            if self._bans.find(viewer.user_id, viewer.wire.address) == ban:
                viewer.wire.close(ban.refusal.close_code, ban.refusal.message)
        return ban

    def routes(self) -> Iterator[Route]:
        """What it adds to the API."""
        whom = Parameter("whom", "A user, an address or a network.")
        reason = Parameter("reason", "Why; they are told.")
        seconds = Parameter("seconds", "For how long; for good if it is not given.", None)
        yield Route("GET", PATH, "Who is kept out.", lambda _: self._bans.all(), list[Ban])
        yield Route(
            "POST", PATH, "Keep a user or an address out.", self._add, Ban, Access.ADMIN,
            parameters=(whom, reason, seconds),
        )  # fmt: skip
        yield Route("DELETE", PATH, "Lift a ban.", self._lift, Unbanned, Access.ADMIN, parameters=(whom,))

    def _add(self, asked: Asked) -> Ban:
        whom, reason, seconds = _whom(asked), asked.query["reason"], _seconds(asked.query["seconds"])
        span = "for good" if seconds is None else f"for {seconds:g} s"
        asked.note("ban", f"{whom} {span}" + (f": {reason}" if reason else ""))
        with _kept():
            return self.ban(whom, reason, seconds)

    def _lift(self, asked: Asked) -> Unbanned:
        whom = _whom(asked)
        asked.note("unban", whom)
        with _kept():
            if not self._bans.remove(whom):
                raise HttpError(404, f"{whom} is not banned")
        log.warning("moderation.unbanned", whom=whom)
        return Unbanned(whom)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HttpError(503, f"the ban could not be kept: {error.strerror}") from None


def _whom(asked: Asked) -> str:
    whom: str = asked.query["whom"]
    if not whom:
        raise HttpError(400, "whom is missing: a user, an address or a network")
    return whom


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e10:
        raise HttpError(400, f"seconds must be a positive number, got {text}")
    return seconds
