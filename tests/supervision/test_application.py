"""An application: start phases, settings, and what goes with its stop."""

import asyncio

import pytest
from structlog.testing import capture_logs

from actors import Crash, StartError, whereis
from supervision import Application, Supervisor, child
from tests.support.puppet import Puppet
from tests.support.scenarios import simulated

TREE = child(Supervisor, [child(Puppet, name="leaf")], id="app", name="app")


def fail() -> None:
    raise ValueError("no")


@simulated
async def test_start_phases_run_in_order_when_the_tree_is_there() -> None:
    log: list[tuple[str, bool]] = []

    async def second() -> None:
        await asyncio.sleep(1)
        log.append(("second", whereis("leaf") is not None))

    phases = {"first": lambda: log.append(("first", whereis("leaf") is not None)), "second": second}
    application = Application(TREE, start_phases=phases)
    assert await application.start() is whereis("app")
    assert log == [("first", True), ("second", True)]
    await application.stop()


@simulated
async def test_a_start_phase_that_fails_stops_the_tree_and_fails_the_start() -> None:
    application = Application(TREE, start_phases={"only": fail})
    with pytest.raises(StartError) as caught:
        await application.start()
    assert isinstance(caught.value.reason, Crash)
    assert whereis("leaf") is None


@simulated
async def test_a_stop_is_prepared_before_and_followed_up_after_the_end_of_the_tree() -> None:
    log: list[tuple[str, bool]] = []

    async def prepare() -> None:
        log.append(("prepare", whereis("leaf") is not None))

    application = Application(
        TREE, prepare_stop=prepare, stopped=lambda: log.append(("stopped", whereis("leaf") is not None))
    )
    await application.start()
    await application.stop()
    await application.stop()
    assert log == [("prepare", True), ("stopped", False)]
    assert await application.wait() == "shutdown"


@simulated
async def test_what_goes_with_the_stop_may_fail_and_the_tree_stops_all_the_same() -> None:
    application = Application(TREE, prepare_stop=fail, stopped=fail)
    await application.start()
    with capture_logs() as logs:
        await application.stop()
    assert whereis("leaf") is None
    failed = [entry["callback"] for entry in logs if entry["event"] == "application.callback_failed"]
    assert failed == ["prepare_stop", "stopped"]


def test_settings_have_defaults() -> None:
    application = Application(TREE, env={"port": 80})
    assert application.get_env("port") == 80
    assert application.get_env("host") is None
    assert application.get_env("host", "localhost") == "localhost"
    application.env["host"] = "example.org"
    assert application.get_env("host") == "example.org"
