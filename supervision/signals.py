"""Signals, passed to an event loop and given back."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""They ask for the end of the program."""


class Signals:
    """While the block runs, have `tell(signal)` called on the running loop; afterwards the earlier handlers are back.

    It uses `signal.signal` alone, which works on every system and every loop. Handlers that the program gave to
    `loop.add_signal_handler` stay and are called as well, and so are those of other `Signals` that are open.

    Args:
        tell: called with each signal
        numbers: the signals

    Raises:
        RuntimeError: off the main thread, where Python delivers no signals.
    """

    def __init__(self, tell: Callable[[signal.Signals], object], numbers: Sequence[signal.Signals] = SIGNALS) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals reach the main thread only: on this one, use `wait` and `stop`")
        self._tell = tell
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
            while isinstance(handler, Signals) and not handler._is_open:  # they may end in another order
                handler = handler._earlier[number]
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not set in Python

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._is_open:
            self._loop.call_soon_threadsafe(self._tell, signal.Signals(number))
        earlier = self._earlier[number]
        if isinstance(earlier, Signals):
            earlier(number, frame)
