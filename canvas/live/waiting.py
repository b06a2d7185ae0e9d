"""Pure. How many questions may wait for their answers at once: in all, and of one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from canvas.store import StoreError
from protocol import HttpError
from supervision.server.addresses import client_network

LATER = (("Retry-After", "1"),)
"""Headers of a refusal: it is worth another try soon."""


def unavailable(error: StoreError) -> HttpError:
    """The refusal of a question that a store cannot answer now; it shows nothing of the files behind it."""
    return HttpError(503, error.public, LATER)


class Waiting:
    """The questions that wait.

    Args:
        most: so many may wait
        share: so many of one address, or one /64 of IPv6

    Attributes:
        most: the same
    """

    def __init__(self, most: int, share: int) -> None:
        self.most = most
        self._share = share
        self._askers: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._askers.total()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Let a question from `address` wait during a block.

        Raises:
            HttpError: 429 if too many of this address wait, 503 if too many do.
        """
        asker = client_network(address)
        if self._askers.get(asker, 0) >= self._share:
            raise HttpError(429, "too many questions at once from one address", LATER)
        if len(self) >= self.most:
            raise HttpError(503, "too many questions at once", LATER)
        self._askers[asker] += 1
        try:
            yield
        finally:
            self._askers[asker] -= 1
            if not self._askers[asker]:
                del self._askers[asker]
