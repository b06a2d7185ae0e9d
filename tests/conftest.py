"""What all test suites share: their options, plain logs, and that nothing is skipped in CI."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from actors.testing.plugin import seeds_of

pytest_plugins = ["actors.testing.plugin"]  # an installed canopy brings it along


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of `tests/otp` here, where pytest finds them whatever it is asked to run."""
    group = parser.getgroup("otp", "replay of scenarios that a real Erlang/OTP answered")
    group.addoption("--scenarios", type=Path, metavar="DIR", help="replay the scenario files of DIR instead of ours")
    group.addoption("--otp-seeds", type=int, default=1, metavar="N", help="replay each in N run orders (default: 1)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that is `@simulated` under several seeds, or under the one of `--canopy-seed`."""
    if metafunc.definition.get_closest_marker("simulated"):
        metafunc.parametrize("seed", seeds_of(metafunc), ids="seed {}".format)


def pytest_configure(config: pytest.Config) -> None:
    """Log plainly: the coloured tracebacks of structlog's default take 300 ms each. Judge no example by its time."""
    config.addinivalue_line("markers", "simulated: run in virtual time, see tests/support/scenarios.py")
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


def pytest_collection_finish() -> None:
    """Keep modules and test items out of garbage collection: it takes a quarter of the time of some tests otherwise."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI is set, a test that is skipped is a failure: nothing may be left out there."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
