"""The pytest plugin: `async def test_...(kit)` runs in virtual time, under several run orders.

The first run of a test is first come, first served; the others have an order drawn from a seed. A failure says which
seed it was, and `--seed` runs that one alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from actors.testing import exploration
from actors.testing.kit import Kit, describe_run

SEEDS = 4
"""Run orders of a test that does not say how many it wants."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--seed`."""
    group = parser.getgroup("canopy", "simulated actors")
    group.addoption("--seed", type=int, metavar="S", help="run simulations with this seed only")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and let `explore` know of `--seed`."""
    config.addinivalue_line("markers", f"seeds(n): run orders of a test with the fixture `kit` ({SEEDS} by default)")
    exploration.replayed_seed = config.getoption("--seed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with `kit` under several seeds."""
    if "kit" not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("--seed")
    marker = metafunc.definition.get_closest_marker("seeds")
    count = marker.args[0] if marker else SEEDS
    seeds = [only] if only is not None else [None, *range(1, count)]
    metafunc.parametrize("kit", seeds, indirect=True, ids="seed {}".format)


@pytest.fixture
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """The simulation that the test runs in."""
    simulation = Kit(request.param)
    yield simulation
    simulation.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine with `kit` in virtual time."""
    simulation = pyfuncitem.funcargs.get("kit")
    if not isinstance(simulation, Kit) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        simulation.run(pyfuncitem.obj(**arguments))
    except BaseException as failure:
        failure.add_note(describe_run(simulation))
        if simulation.seed is not None:
            name = pyfuncitem.nodeid.partition("[")[0]
            failure.add_note(f"again: pytest {name!r} --seed {simulation.seed}")
        raise
    return True
