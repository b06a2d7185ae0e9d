"""The pytest plugin: `async def test_...(kit)` runs in virtual time, under several run orders.

The first run of a test is first come, first served; the others draw their order from a seed. A failure names its seed,
and `--canopy-seed` runs only that one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any
from unittest import SkipTest

import pytest

from actors.testing import exploration
from actors.testing.kit import Kit, describe_run

SEEDS = 4
"""Number of run orders of a test without the marker `seeds`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--canopy-seed`."""
    group = parser.getgroup("canopy", "simulated actors")
    group.addoption(
        "--canopy-seed", dest="canopy_seed", type=int, metavar="S", help="run simulations with this seed only"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and pass `--canopy-seed` and pytest's own exceptions to `explore`."""
    config.addinivalue_line("markers", f"seeds(n): run orders of a test with the fixture `kit` ({SEEDS} by default)")
    exploration.replayed_seed = config.getoption("canopy_seed")
    exploration.skips = (SkipTest, pytest.skip.Exception, pytest.xfail.Exception)
    exploration.interrupts = (KeyboardInterrupt, pytest.exit.Exception)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with `kit` under several seeds."""
    if _is_simulated(metafunc):
        metafunc.parametrize("kit", seeds_of(metafunc), indirect=True, ids="seed {}".format)


def seeds_of(metafunc: pytest.Metafunc) -> list[int | None]:
    """Return the seeds of a test's run orders: that of `--canopy-seed`, or those that the test asks for."""
    only = metafunc.config.getoption("canopy_seed")
    marker = metafunc.definition.get_closest_marker("seeds")
    return [only] if only is not None else [None, *range(1, marker.args[0] if marker else SEEDS)]


@pytest.fixture
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """The simulation that the test runs in."""
    simulation, item = Kit(request.param), request.node
    if _is_coroutine_under_hypothesis(item.obj):
        pytest.fail(
            "`@given` cannot run a coroutine in the simulation of `kit`: draw from `kit.chance` instead, or run the"
            " coroutine with `actors.testing.run` in a test that is a plain function",
            pytrace=False,
        )
    if not inspect.iscoroutinefunction(item.obj):
        yield simulation
    else:
        # pytest-asyncio in auto mode and the plugins of anyio and trio would run the test on their own loop, in real
        # time, through a subclass of Function or a hook that may run before ours. The item's own `runtest` comes after
        # all of these, and only a fixture is certain to replace it after they have.
        item.runtest = partial(_simulate, item, item.obj, simulation)
        yield simulation
        del item.runtest
    simulation.close()


def _simulate(item: pytest.Function, test: Callable[..., Coroutine[Any, Any, Any]], simulation: Kit) -> None:
    """Run a coroutine test in virtual time."""
    try:
        simulation.run(test(**{name: item.funcargs[name] for name in item._fixtureinfo.argnames}))
    except BaseException:
        text = describe_run(simulation)
        if simulation.seed is not None:
            name = item.nodeid.partition("[")[0]
            text += f"\nagain: pytest {name!r} --canopy-seed {simulation.seed}"
        item.add_report_section("call", "simulation", text)  # pytest shows no notes of `fail(pytrace=False)`
        raise


def _is_simulated(metafunc: pytest.Metafunc) -> bool:
    """Return whether a test uses this plugin's fixture `kit`, and not its own fixture or a parameter of that name."""
    for marker in metafunc.definition.iter_markers("parametrize"):
        names = marker.args[0] if marker.args else marker.kwargs["argnames"]
        if "kit" in (names.replace(" ", "").split(",") if isinstance(names, str) else names):
            return False
    for definition in reversed(metafunc._arg2fixturedefs.get("kit", ())):
        if definition.func.__module__ == __name__:
            return True
        if "kit" not in definition.argnames:
            return False
    return False


def _is_coroutine_under_hypothesis(test: Any) -> bool:
    return inspect.iscoroutinefunction(getattr(getattr(test, "hypothesis", None), "inner_test", None))
