"""Pure. A limit of requests that wait for an answer at the same time: in all, and per client network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from canvas.store import StoreError
from protocol import HttpError
from supervision.server.addresses import client_network

LATER = (("Retry-After", "1"),)
"""Headers of a refusal that is worth retrying after a second."""


def unavailable(error: StoreError) -> HttpError:
    """Return the 503 for a query that the store cannot answer now, without details of the store's files."""
    return HttpError(503, error.public, LATER)


class Waiting:
    """The requests that wait.

    Args:
        most: maximum number of waiting requests
        share: the same per client network

    Attributes:
        most: maximum number of waiting requests
    """

    def __init__(self, most: int, share: int) -> None:
        self.most = most
        self._share = share
        self._askers: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._askers.total()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Count a request from `address` as waiting for the duration of a block.

        Raises:
            HttpError: 429 if too many requests from its client network wait, 503 if too many wait in all.
        """
        asker = client_network(address)
        if self._askers.get(asker, 0) >= self._share:
            raise HttpError(429, "too many requests at once from one address", LATER)
        if len(self) >= self.most:
            raise HttpError(503, "too many requests at once", LATER)
        self._askers[asker] += 1
        try:
            yield
        finally:
            self._askers[asker] -= 1
            if not self._askers[asker]:
                del self._askers[asker]
