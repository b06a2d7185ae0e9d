"""Many runs of one test, each with another seed; the first that fails is made small and shown."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import traceback
import warnings
from collections.abc import Callable, Coroutine, Iterable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias

from actors.portable import PortableException
from actors.testing.chance import Decision, Plan
from actors.testing.kit import Kit, describe_run

Simulated: TypeAlias = Callable[[Kit], Coroutine[Any, Any, Any]]

SHRINKING_RUNS = 250
"""Runs that making a failure small may take."""
LINES_OF_TRACE = 120
"""So many of the last lines of the trace are shown."""

replayed_seed: int | None = None
"""The only seed to run; set by `pytest --seed`."""


class Found(PortableException, AssertionError):
    """A seed whose run fails.

    Attributes:
        seed: that seed
        failure: what was raised in its run
        plan: the decisions that are needed for it; the others may be ordinary
        decisions: how many were not ordinary when it was found
        trace: what happened with these decisions
    """

    def __init__(
        self, text: str, seed: int, failure: BaseException, plan: Plan, decisions: int, trace: list[str]
    ) -> None:
        super().__init__(text)
        self.decisions = decisions
        self.seed = seed
        self.failure = failure
        self.plan = plan
        self.trace = trace


def explore(test: Simulated, seeds: int | Iterable[int] = 100, *, jobs: int | None = None, shrinks: bool = True) -> int:
    """Run `test` with each of `seeds`; returns how many runs that were.

    Even seeds draw any process that could run, odd ones give processes priorities (PCT).

    Args:
        test: called with the kit of each run
        seeds: how many, or which
        jobs: processes that share the work; one for each processor by default
        shrinks: make the first failure small before it is shown

    Raises:
        Found: if a run fails, with the seed and how to run it again.
    """
    all_seeds = list(range(seeds) if isinstance(seeds, int) else seeds)
    if replayed_seed is not None:
        all_seeds = [replayed_seed]
    jobs = min(jobs or os.cpu_count() or 1, len(all_seeds))
    seed = _first_failure(test, all_seeds) if jobs <= 1 else _shared(test, all_seeds, jobs)
    if seed is not None:
        raise _found(test, seed, shrinks)
    return len(all_seeds)


def attempt(
    test: Simulated, seed: int | None, plan: Plan | None = None, *, traces: bool = False
) -> tuple[Kit, BaseException | None]:
    """Run `test` once; returns its kit and what it raised, if it failed."""
    kit = Kit(seed, plan=plan, traces=traces)
    try:
        kit.run(test(kit))
    except Exception as failure:  # noqa: BLE001  # it is what we are looking for
        while isinstance(failure, ExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        return kit, failure
    return kit, None


def _first_failure(test: Simulated, seeds: Sequence[int]) -> int | None:
    return next((seed for seed in seeds if attempt(test, seed)[1] is not None), None)


def _shared(test: Simulated, seeds: Sequence[int], jobs: int) -> int | None:
    """As `_first_failure`, in several processes."""
    context = multiprocessing.get_context("fork")
    workers: dict[Connection, Any] = {}
    try:
        for number in range(jobs):
            receiving, sending = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(test, seeds[number::jobs], sending), daemon=True)
            with warnings.catch_warnings():
                # A library has idle threads (numpy, for instance), of which the child has no use.
                warnings.simplefilter("ignore", DeprecationWarning)
                worker.start()
            sending.close()
            workers[receiving] = worker
        waiting = list(workers)
        while waiting:
            for ready in [receiving for receiving in wait(waiting) if isinstance(receiving, Connection)]:
                waiting.remove(ready)
                seed: int | None = ready.recv()
                if seed is not None:
                    return seed
        return None
    finally:
        for receiving, worker in workers.items():
            worker.terminate()
            worker.join()
            receiving.close()


def _work(test: Simulated, seeds: Sequence[int], sending: Connection) -> None:
    with contextlib.suppress(BrokenPipeError):
        sending.send(_first_failure(test, seeds))


def _found(test: Simulated, seed: int, shrinks: bool) -> Found:
    kit, failure = attempt(test, seed)
    if failure is None:
        raise AssertionError(f"seed {seed} failed only once: something in the test is not drawn from the seed")
    whole = kit.chance.plan()
    plan = shrink(test, seed, whole, failure) if shrinks else whole
    small, failure_of_small = attempt(test, seed, plan, traces=True)
    lines = small.trace()
    text = "\n".join(
        [
            f"{type(failure).__name__}: {failure}",
            f"found with seed {seed}; again: {replay_command(seed)}",
            f"{len(plan)} of {len(whole)} decisions are needed for it: {describe_plan(plan)}",
            describe_run(small),
            f"the last {min(len(lines), LINES_OF_TRACE)} of {len(lines)} events:",
            *lines[-LINES_OF_TRACE:],
            "".join(traceback.format_exception(failure_of_small or failure)),
        ]
    )
    return Found(text, seed, failure_of_small or failure, plan, len(whole), lines)


def replay_command(seed: int) -> str:
    """How the user runs this seed again."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    return f"pytest {test!r} --seed {seed}" if test else f"explore(test, [{seed}])"


def describe_plan(plan: Plan) -> str:
    """Decisions as text."""
    return ", ".join(f"{name}[{at}]={taken}" for (name, at), taken in sorted(plan.items())[:40]) or "none"


def shrink(test: Simulated, seed: int, plan: Plan, failure: BaseException, *, runs: int = SHRINKING_RUNS) -> Plan:
    """Find fewer decisions with which `test` fails in the same way: with whole streams less, then with parts less.

    (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002)
    """
    left = runs

    def fails(decisions: Iterable[Decision]) -> bool:
        nonlocal left
        left -= 1
        found = attempt(test, seed, {decision: plan[decision] for decision in decisions})[1]
        return type(found) is type(failure)

    kept = list(plan)
    if not fails(kept):
        return plan
    for stream in sorted({name for name, _ in kept}):
        without = [decision for decision in kept if decision[0] != stream]
        if len(without) < len(kept) and fails(without):
            kept = without
    size = (len(kept) + 1) // 2
    while kept and size >= 1 and left > 0:
        begin = 0
        while begin < len(kept) and left > 0:
            without = kept[:begin] + kept[begin + size :]
            if fails(without):
                kept = without
            else:
                begin += size
        size = size // 2
    return {decision: plan[decision] for decision in kept}
