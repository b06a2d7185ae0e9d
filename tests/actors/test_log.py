"""The log: no failure of it reaches whoever writes, and no secret reaches it."""

import contextlib
import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from actors import BlockingServer, GenServer, Ref, call, cast, down, start, whereis
from actors.log import get_logger
from actors.testing import quiet, run
from supervision import Supervisor, child, configure_logging, which_children
from tests.support.nasty import NASTY, Touched, Whole
from tests.support.scenarios import simulated
from tests.support.shapes import SHAPES, Shape

log = get_logger("test")


class Faulty(GenServer):
    """Crashes on every cast, with whatever it has."""

    def init(self, state: Any = None) -> None:
        self.kept = state
        self.seen: list[Any] = []

    def handle_cast(self, request: Any) -> None:
        local = request
        self.seen.append(local)
        if isinstance(request, BaseException):
            raise request
        raise ValueError("no")


@pytest.fixture(autouse=True)
def configuration() -> Iterator[None]:
    """Restore the configuration of structlog."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


class Refusing:
    """A stream that fails with anything."""

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    def write(self, *_: str) -> int:
        raise self._failure

    flush = isatty = write


def closed() -> io.StringIO:
    """A stream that has been closed."""
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS: list[Callable[[], Any]] = [
    lambda: open("/dev/full", "w"),  # noqa: SIM115
    closed,
    lambda: None,
    lambda: io.TextIOWrapper(io.BytesIO(), "ascii"),
    lambda: io.TextIOWrapper(io.BytesIO(), "latin-1"),
    lambda: Refusing(BrokenPipeError()),
    lambda: Refusing(SystemExit()),
    lambda: Refusing(Touched()),
    lambda: object(),
]


def restarted(configure: Callable[[], object]) -> bool:
    """Tell whether a process that crashes is restarted by its supervisor, which answers calls."""

    async def scenario() -> bool:
        supervisor = await start(Supervisor, [child(Faulty, name="faulty")])
        configure()
        first = whereis("faulty")
        cast("faulty", ValueError("\ud800 é"))
        cast(supervisor, "unknown")
        await quiet()
        (info,) = await which_children(supervisor)
        return info.ref is not None and info.ref is not first

    return run(scenario())


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("format", [None, "console", "json"])
def test_stream_that_cannot_be_written_to_harms_nobody(
    stream: Callable[[], Any], format: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = stream()

    def configure() -> None:
        monkeypatch.setattr(sys, "stderr", given)
        monkeypatch.setattr(sys, "stdout", given)
        if format is None:
            structlog.reset_defaults()
        else:
            configure_logging(format=format)

    assert restarted(configure)
    monkeypatch.undo()
    if isinstance(given, io.TextIOBase):
        with contextlib.suppress(OSError):  # what is left cannot be written to a full disk
            given.close()


@pytest.mark.parametrize("failure", [ValueError("no"), SystemExit(), Touched(), RecursionError()], ids=repr)
def test_processor_that_fails_harms_nobody_and_is_told_of(failure: BaseException, capsys: Any) -> None:
    def fail(_logger: Any, _method: str, _event: Any) -> Any:
        raise failure

    assert restarted(lambda: structlog.configure(processors=[fail]))
    assert f"an event could not be logged: {type(failure).__name__}" in capsys.readouterr().err


def test_processor_that_logs_for_ever_harms_nobody() -> None:
    def log_again(_logger: Any, _method: str, event: Any) -> Any:
        log.info("again")
        return event

    assert restarted(lambda: structlog.configure(processors=[log_again]))


@pytest.mark.parametrize("nasty", NASTY, ids=lambda nasty: nasty.name)
def test_any_value_may_be_logged(nasty: Whole, capsys: Any) -> None:
    configure_logging(format="json")
    value = nasty.make()
    log.info("event", value=value)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "event"
    assert len(line) < 6_000


@pytest.mark.parametrize("nasty", NASTY, ids=lambda nasty: nasty.name)
def test_process_with_any_value_dies_of_its_crash(nasty: Whole) -> None:
    async def scenario() -> None:
        ref = await start(Faulty, nasty.make())
        ended = down(ref)
        cast(ref, "crash")
        await ended
        assert not ref.is_alive()

    run(scenario())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("format", ["console", "json"])
def test_no_contents_of_a_crash_reach_the_log(shape: Shape, format: Any, capsys: Any) -> None:
    configure_logging("debug", format)
    secret = "S3CRET-123"

    async def scenario() -> None:
        await start(Supervisor, [child(Faulty, shape(secret), name="faulty")])
        ref: Ref = await start(Faulty, {"a": [shape(secret)]})
        for target in ("faulty", ref):
            cast(target, [shape(secret)])
            await quiet()

    run(scenario())
    shown = "".join(capsys.readouterr())
    assert shown.count("actor.crashed") == 2
    assert secret not in shown


def test_without_a_configuration_lines_go_to_stderr_and_show_no_variables(capsys: Any) -> None:
    structlog.reset_defaults()

    async def scenario() -> None:
        ref = await start(Faulty)
        ended = down(ref)
        cast(ref, "S3CRET")
        await ended

    run(scenario())
    output, errors = capsys.readouterr()
    assert output == ""
    assert "actor.crashed" in errors
    assert errors.endswith("\nValueError: no\n")
    assert "S3CRET" not in errors
    log.debug("not shown")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("format", ["console", "json"])
def test_loggers_of_the_program_are_bounded_too_and_show_no_variables(format: Any, capsys: Any) -> None:
    configure_logging(format=format)
    secret = "S3CRET-123"
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger().exception("failed", value=NASTY[0].make(), odd=Touched)
    errors = capsys.readouterr().err
    assert "ValueError: 10" in errors
    assert "S3CRET-123" not in errors.replace(repr(secret), "").replace(json.dumps(json.dumps(secret))[1:-1], "")
    assert len(errors) < 5_000


def test_bound_context_is_in_each_event(capsys: Any) -> None:
    for configure in (structlog.reset_defaults, configure_logging):
        configure()
        with structlog.contextvars.bound_contextvars(request="r1"):
            log.info("event")
        assert "request=r1" in capsys.readouterr().err


def test_exception_is_a_text_with_its_stack_trace() -> None:
    with capture_logs() as logs:
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("failed", actor="<1 a>", count=3, error=KeyError("x"))
    (event,) = logs
    assert event["exception"].startswith("Traceback (most recent call last):\n")
    assert event["exception"].endswith("\nValueError: no")
    assert (event["actor"], event["count"], event["error"]) == ("<1 a>", 3, "KeyError: 'x'")


@simulated
async def test_blocking_servers_log_on_their_threads() -> None:
    class Writer(BlockingServer):
        def handle_call(self, request: Any, from_: Any) -> str:
            log.info("from a thread", number=request)
            return threading.current_thread().name

    with capture_logs() as logs:
        refs = [await start(Writer) for _ in range(3)]
        for number, ref in enumerate(refs):
            await call(ref, number)
    assert sorted(event["number"] for event in logs if event["event"] == "from a thread") == [0, 1, 2]


def test_threads_write_whole_lines(capsys: Any) -> None:
    configure_logging(format="json")

    def write() -> None:
        for _ in range(200):
            log.info("event", text="x" * 500)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["event"] * 1_600
