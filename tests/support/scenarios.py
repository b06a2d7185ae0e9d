"""Decorators for tests that are coroutines: in virtual time, or on a real event loop with real sockets."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from actors.testing import run

PATIENCE = 180.0
"""Seconds after which a live scenario waits for what will never come, even on a machine that is busy elsewhere."""

Scenario = Callable[..., Coroutine[Any, Any, None]]


def simulated(scenario: Scenario) -> Callable[..., None]:
    """Run a test in virtual time, in the run orders that `tests/conftest.py` chooses: those of a test with `kit`."""

    @functools.wraps(scenario)
    def test(seed: int | None, **fixtures: Any) -> None:
        run(scenario(**fixtures), seed=seed)

    own = inspect.signature(scenario)
    seed = inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY)
    test.__signature__ = own.replace(parameters=[*own.parameters.values(), seed])  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.simulated(test)
    return marked


def live(scenario: Scenario) -> Callable[..., None]:
    """Run a test on uvloop, as in production; one that hangs fails."""

    @functools.wraps(scenario)
    def test(**fixtures: Any) -> None:
        uvloop.run(_in_time(scenario(**fixtures)))

    return test


def live_on_every_loop(scenario: Scenario) -> Callable[..., None]:
    """Run a test on uvloop, and once more on asyncio's own loop."""

    @functools.wraps(scenario)
    def test(new_loop: Callable[[], asyncio.AbstractEventLoop], **fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_in_time(scenario(**fixtures)))

    own = inspect.signature(scenario)
    loop = inspect.Parameter("new_loop", inspect.Parameter.KEYWORD_ONLY)
    test.__signature__ = own.replace(parameters=[*own.parameters.values(), loop])  # type: ignore[attr-defined]
    loops = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    parametrized: Callable[..., None] = pytest.mark.parametrize("new_loop", loops.values(), ids=loops.keys())(test)
    return parametrized


async def _in_time(scenario: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await scenario
