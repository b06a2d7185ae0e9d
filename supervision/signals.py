"""No process. Delivers signals to an event loop, and restores the previous handlers."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that end the program."""


class Signals:
    """Call `callback(signal)` on the running loop while the block runs; restore the previous handlers afterwards.

    It only uses `signal.signal`, which works on every system and event loop. Handlers that the program passed to
    `loop.add_signal_handler`, and those of other open `Signals`, are called as well.

    Args:
        callback: called with each signal
        numbers: the signals

    Raises:
        RuntimeError: outside the main thread, where Python delivers no signals.
    """

    def __init__(
        self, callback: Callable[[signal.Signals], object], numbers: Sequence[signal.Signals] = SIGNALS
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Python delivers signals to the main thread only: on this thread, use `wait` and `stop`")
        self._callback = callback
        self._numbers = numbers
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._earlier: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in self._numbers:
            self._earlier[number] = signal.signal(number, self)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._is_open = False
        for number in self._numbers:
            handler: Any = signal.getsignal(number)
            while isinstance(handler, Signals) and not handler._is_open:  # the blocks may end in any order
                handler = handler._earlier[number]
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not set in Python

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._is_open:
            self._loop.call_soon_threadsafe(self._callback, signal.Signals(number))
        earlier = self._earlier[number]
        if isinstance(earlier, Signals):
            earlier(number, frame)
