"""Keeping people out, and sending away those who are there. For the admin API and the console."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog

from canvas.bans import Ban, Bans
from canvas.room import TOPIC, Viewer
from protocol import CloseCode, HttpError, Request, Response
from registry import Table

log = structlog.get_logger("canopy.canvas")

PATH = "/api/v1/bans"


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
        """Keep a user, an address or a network out, and send away whoever of them is there, with 1008.

        Raises:
            OSError: if it cannot be kept; then it does not hold.
        """
        ban = self._bans.add(whom, reason, seconds)
        log.warning("moderation.banned", whom=ban.whom, reason=reason, seconds=seconds)
        for viewer in list(self._viewers.values(TOPIC)):
            if self._bans.find(viewer.user_id, viewer.wire.address) == ban:
                viewer.wire.close(CloseCode.POLICY_VIOLATION, ban.notice)
        return ban

    def route(self, request: Request) -> Response | None:
        """Answer `GET`, `POST ?whom=&reason=&seconds=` and `DELETE ?whom=` of `/api/v1/bans`."""
        if request.path != PATH:
            return None
        try:
            return _json(self._answer(request.method, {name: v[-1] for name, v in parse_qs(request.query).items()}))
        except OSError as error:
            raise HttpError(503, f"the ban could not be kept: {error.strerror}") from None

    def _answer(self, method: str, query: dict[str, str]) -> Any:
        if method == "GET":
            return [asdict(ban) for ban in self._bans.all()]
        if method not in ("POST", "DELETE"):
            raise HttpError(405, "only GET, POST and DELETE are allowed here", (("Allow", "GET, POST, DELETE"),))
        whom = query.get("whom", "")
        if not whom:
            raise HttpError(400, "whom is missing: a user, an address or a network")
        if method == "POST":
            return asdict(self.ban(whom, query.get("reason", ""), _seconds(query.get("seconds"))))
        if not self._bans.remove(whom):
            raise HttpError(404, f"{whom} is not banned")
        log.warning("moderation.unbanned", whom=whom)
        return {"unbanned": whom}


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


def _json(value: Any) -> Response:
    return Response(200, (("Content-Type", "application/json"),), orjson.dumps(value) + b"\n")
