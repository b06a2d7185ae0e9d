"""The command line of the soak: starts everything, samples until the end, and says what became of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.bench.machine import ROOT, allow_many_files, facts
from tests.bench.servers import STOP_TIMEOUT, free_port, wait_for_port
from tests.bench.soak import report
from tests.bench.soak.clients import Crowd, fill
from tests.bench.soak.judge import not_restored
from tests.bench.soak.sample import Sample, Sampler
from tests.bench.soak.serve import Census

SETTLE = 120.0
"""Seconds within which all has to be as it was before, when the last client has left."""
CHAOS_ENDS = 5.0
"""Seconds before the end of the load, which then compares what everybody sees."""
PAINTERS = 10


def main() -> None:
    """Run, and end with 1 if something grew or was lost."""
    options = _parser().parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("the soak reads /proc, which there is only on Linux")
    allow_many_files()
    run = asyncio.run(_soak(options))
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(run), indent=1) + "\n")
    if options.plot is not None:
        options.plot.write_text(report.plot(run))
    sys.stdout.write(report.text(run))
    sys.exit(bool(run.failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="under load (default 30)")
    parser.add_argument("--warmup", type=float, default=15.0, help="minutes of these that are not judged (default 15)")
    parser.add_argument("--every", type=float, default=10.0, metavar="S", help="seconds between samples (default 10)")
    parser.add_argument("--seats", type=int, default=30, help="misbehaving clients at a time (default 30)")
    parser.add_argument("--rate", type=float, default=1.0, help="pixels a second of each painter (default 1)")
    parser.add_argument("--crashes", type=float, default=1.0, help="crashes a second (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="draws the clients and the victims (default 1)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where the server logs (default: nowhere)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them there (SVG)")
    return parser


async def _soak(options: argparse.Namespace) -> report.Run:
    about = facts() | {"command": "python -m tests.bench.soak " + " ".join(sys.argv[1:])}
    seconds = options.minutes * 60
    with _serving(options.log) as (port, data, sampler):
        _say("filling what has a bound")
        await fill(port)
        start, census = await _at_rest(sampler, None)
        crowd = Crowd(port, options.seats, options.seed)
        painting = ("load", f"ws://127.0.0.1:{port}/ws", "--clients", PAINTERS, "--rate", options.rate)
        crashing = ("chaos", "--data", data, "--rate", options.crashes, "--seed", options.seed)
        load = asyncio.create_task(_canopy(*painting, "--seconds", seconds))
        chaos = asyncio.create_task(_canopy(*crashing, "--seconds", max(1.0, seconds - CHAOS_ENDS)))
        coming = asyncio.create_task(crowd.misbehave())
        samples = await _sample_until(load, coming, sampler, options.every)
        coming.cancel()
        await asyncio.wait((coming, chaos))
        end, last_census = await _at_rest(sampler, start)
    before, after = census.classes, last_census.classes
    return report.Run(
        facts=about,
        seconds=seconds,
        warmup=options.warmup * 60,
        start=start,
        end=end,
        samples=samples,
        classes={name: (before.get(name, 0), after.get(name, 0)) for name in sorted(before | after)},
        visits=dict(crowd.visits),
        ended=dict(crowd.ended),
        load=load.result(),
        chaos=chaos.result(),
    )


async def _sample_until(
    load: asyncio.Task[tuple[int, list[str]]], coming: asyncio.Task[None], sampler: Sampler, every: float
) -> list[Sample]:
    """Sample until the load is over."""
    samples: list[Sample] = []
    sampler.restart_clock()
    while not load.done():
        sample, _ = await asyncio.to_thread(sampler.take)
        samples.append(sample)
        _say(f"{sample.at:.0f} s: {sample.rss >> 20} MiB, {sample.actors} actors, {sample.descriptors} descriptors")
        await asyncio.wait((load, coming), timeout=every, return_when=asyncio.FIRST_COMPLETED)
        if coming.done():
            await coming  # raises: the crowd's own mistake
    return samples


async def _at_rest(sampler: Sampler, before: Sample | None) -> tuple[Sample, Census]:
    """The levels when no client is left and they stay the same; with `before` when they are those, if they ever are."""
    deadline = time.monotonic() + SETTLE
    last = before
    while True:
        await asyncio.sleep(2.0)
        sample, census = await asyncio.to_thread(sampler.take, collect=True)
        is_settled = last is not None and not not_restored(asdict(last), asdict(sample))
        if is_settled or time.monotonic() > deadline:
            return sample, census
        last = before or sample


async def _canopy(*arguments: object) -> tuple[int, list[str]]:
    """Run a command of `canopy`; returns its exit code and its lines."""
    command = (sys.executable, "-m", "canvas", *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        raise
    return await process.wait(), output.decode().splitlines()


@contextlib.contextmanager
def _serving(kept: Path | None) -> Iterator[tuple[int, Path, Sampler]]:
    """The server, with its store in a new folder; of this, the log may be `kept`."""
    with tempfile.TemporaryDirectory(prefix="canopy-soak-") as name:
        folder = Path(name)
        port, data, census, log = free_port(), folder / "data", folder / "census.sock", kept or folder / "log"
        options = ("--port", str(port), "--data", str(data), "--console-port", "0", "--log-format", "json")
        command = [sys.executable, "-m", "tests.bench.soak.serve", str(census), "run", *options]
        with log.open("wb") as stderr:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            wait_for_port("canopy", process, port)
            yield port, data, Sampler(process.pid, data, census, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _say(what: str) -> None:
    """Tell a waiting reader what goes on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()
