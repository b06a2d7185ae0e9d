"""The standard error: nobody who writes waits for its reader, and lines that are lost are counted."""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from actors.stderr import MAX_WAITING, LineWriter
from tests.support.full_pipe import FullPipe

LINE = b"x" * 99 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The ends of a pipe: for reading, for writing."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(end)


def nothing(_: int) -> None:
    """Hear of dropped lines."""


def read(descriptor: int, size: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < size:
        found += os.read(descriptor, size - len(found))
    return found


def test_thread_starts_with_the_first_line(pipe: tuple[int, int]) -> None:
    before = threading.active_count()
    writer = LineWriter(pipe[1], nothing)
    assert writer.flush()
    assert threading.active_count() == before
    writer.put(b"first\n")
    writer.put(b"second\n")
    assert threading.active_count() == before + 1
    assert read(pipe[0], 13) == b"first\nsecond\n"
    assert writer.flush()
    assert (writer.waiting, writer.dropped) == (0, 0)


@pytest.mark.parametrize("is_blocking", [True, False])
def test_full_pipe_blocks_nobody_and_what_was_dropped_is_counted_and_reported(is_blocking: bool) -> None:
    full = FullPipe()
    os.set_blocking(full.writing, is_blocking)
    reports: queue.SimpleQueue[int] = queue.SimpleQueue()
    writer = LineWriter(full.writing, reports.put)
    lines = [b"%08d " % number + LINE for number in range(3 * MAX_WAITING // len(LINE))]
    for line in lines:
        writer.put(line)
    dropped = writer.dropped
    assert 0 < dropped < len(lines)
    assert writer.waiting <= MAX_WAITING
    assert not writer.flush(0)

    kept = b"".join(lines[: len(lines) - dropped])
    assert read(full.reading, full.size + len(kept))[full.size :] == kept
    assert reports.get(timeout=30) == dropped
    assert writer.flush(30)
    writer.put(LINE)
    assert read(full.reading, len(LINE)) == LINE
    full.close()
    assert reports.empty()
    assert writer.dropped == dropped


def test_lines_that_cannot_be_written_are_counted(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    reports: queue.SimpleQueue[int] = queue.SimpleQueue()
    writer = LineWriter(writing, reports.put)
    os.close(reading)
    for _ in range(3):
        writer.put(LINE)
    assert writer.flush(30)
    assert (writer.dropped, writer.waiting) == (3, 0)
    assert reports.empty()


def test_threads_write_whole_lines_in_their_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing, nothing)

    def write(name: int) -> None:
        for number in range(500):
            writer.put(b"%d %08d\n" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    lines = read(reading, 8 * 500 * 11).splitlines()
    for thread in threads:
        thread.join()
    for name in range(8):
        mine = [line for line in lines if line.startswith(b"%d " % name)]
        assert mine == [b"%d %08d" % (name, number) for number in range(500)]


# A process of its own.


LOGGING = "from actors.log import get_logger; log = get_logger('a')\n"

PROGRAMS = {
    "unconfigured": LOGGING,
    "configured": "from supervision import configure_logging; configure_logging(format='json')\n" + LOGGING,
}


def run(program: str, stderr: int) -> str:
    """Run a program; returns its output."""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, timeout=60, check=True)
    return ended.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_whose_stderr_nobody_reads_goes_on_and_ends(name: str) -> None:
    full = FullPipe()
    program = PROGRAMS[name] + "for number in range(100): log.info('event', number=number)\nprint('went on')"
    assert run(program, full.writing) == "went on\n"
    full.close()


@pytest.mark.parametrize("name", PROGRAMS)
def test_all_lines_are_written_before_the_program_ends(name: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader:
        run(PROGRAMS[name] + "for number in range(100): log.info('event', number=number)", writing)
        os.close(writing)
        assert len(reader.read().splitlines()) == 100


@pytest.mark.parametrize("name", PROGRAMS)
def test_child_that_was_forked_while_the_thread_was_blocked_logs_its_own_lines_alone(name: str) -> None:
    program = PROGRAMS[name] + (
        "import multiprocessing, os\n"
        "def child(): os.dup2(1, 2); log.info('of the child')\n"
        "log.info('of the parent')\n"
        "process = multiprocessing.get_context('fork').Process(target=child)\n"
        "process.start(); process.join()\n"
    )
    full = FullPipe()
    output = run(program, full.writing)
    assert "of the child" in output
    assert "of the parent" not in output
    full.close()


def test_lines_that_were_dropped_are_reported_as_an_event() -> None:
    program = PROGRAMS["configured"] + (
        "import os\n"
        "from actors.log import stderr_lines\n"
        "text = 'x' * 900\n"
        "while not stderr_lines.dropped: log.info('event', text=text)\n"
        "print(stderr_lines.dropped, flush=True)\n"
        "input()\n"
        "stderr_lines.flush(30)\n"
    )
    full = FullPipe()
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=full.writing, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.stdin.write("\n")
        process.stdin.flush()
        lines = full.read().splitlines()
    assert b'"event": "log.lines_dropped"' in lines[-1]
    assert b'"lines": 1' in lines[-1]
