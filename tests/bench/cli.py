"""The command line of the bench."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.kernel import bench_kernel
from tests.bench.machine import allow_many_files, facts
from tests.bench.plan import FULL, QUICK
from tests.bench.websocket import bench_echo, bench_fanout

EXPLANATION = """
Every figure is the median of {rounds} rounds ({kernel_rounds} of the kernel); the contestants take turns in every
round. CPU seconds are user and system time of the server's process. `spread` is how far the best and the worst round
lie apart (in brackets for the kernel): smaller differences mean nothing. Where the generator's CPU is near 100 %, it
was the limit and the server could have done more per second; where a busy server's CPU is far below it too, other
programs had the cores, and only the figures per CPU second can be compared. Latencies are measured in the generator
and contain its own queue. Every message and every event of a round has arrived, or the row says what is missing. The
other servers' jobs are in tests/bench/serve_*.py.
"""


def main() -> None:
    """Run what was asked for and print the tables."""
    options = _parser().parse_args()
    if not sys.platform.startswith("linux"):
        sys.exit("the bench reads CPU clocks and memory of other processes, which it can only do on Linux")
    allow_many_files()
    plan = QUICK if options.quick else FULL
    jobs = options.only or ["echo", "fanout", "kernel"]
    about = facts()
    _write(report.header(about))
    _write(EXPLANATION.format(rounds=plan.rounds, kernel_rounds=plan.kernel_rounds))
    raw: dict[str, Any] = {"facts": about}
    if "echo" in jobs:
        rows, memory = bench_echo(plan, _say)
        raw["echo"], raw["memory"] = rows, memory
        _write(report.echo_table(rows) + report.memory_table(memory))
    if "fanout" in jobs:
        raw["fanout"] = bench_fanout(plan, _say)
        _write(report.fanout_table(raw["fanout"]))
    if "kernel" in jobs:
        raw["kernel"] = bench_kernel(plan, _say)
        _write(report.kernel_table(raw["kernel"]))
    if options.json is not None:
        options.json.write_text(json.dumps(raw, default=_fields, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short rounds: about a minute and a half on an idle machine"
    )
    parser.add_argument("--only", action="append", choices=("echo", "fanout", "kernel"), help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    return parser


def _fields(value: Any) -> Any:
    """What `json` is to write of our own classes."""
    return {name: getattr(value, name) for name in value.__slots__}


def _write(text: str) -> None:
    _say("")
    sys.stdout.write(text)
    sys.stdout.flush()


def _say(what: str) -> None:
    """Tell a waiting reader what goes on; not into a file."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()
