"""Many runs of one test, each with another seed; the first that fails is made small and shown."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias
from unittest import SkipTest

from actors.portable import PortableException
from actors.testing.chance import Decision, Plan
from actors.testing.kit import Kit, describe_run

Simulated: TypeAlias = Callable[[Kit], Coroutine[Any, Any, Any]]

SHRINKING_RUNS = 250
"""How many runs `explore` spends by default on making a failure small."""
LINES_OF_TRACE = 120
"""So many of the last lines of the trace are shown."""
SEEDS_SHOWN = 10
"""So many of the last seeds of a process that died are shown."""

replayed_seed: int | None = None
"""The only seed to run; set by `pytest --canopy-seed`."""
skips: tuple[type[BaseException], ...] = (SkipTest,)
"""What a run raises that is to be skipped; the pytest plugin adds pytest's own."""
interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,)
"""What ends the exploration; the pytest plugin adds that of `pytest.exit`."""


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


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of some runs, as seeds: a process can send these, but not every exception.

    Attributes:
        runs: how many came to their end
        failed: the first that failed; the later ones did not run
        skipped: the first that was skipped
        interrupted: the one that was interrupted; the later ones did not run
    """

    runs: int = 0
    failed: int | None = None
    skipped: int | None = None
    interrupted: int | None = None


def explore(
    test: Simulated,
    seeds: int | Iterable[int] = 100,
    *,
    jobs: int | None = None,
    shrinking_runs: int = SHRINKING_RUNS,
) -> int:
    """Run `test` with each of `seeds`; returns how many runs that were.

    Even seeds draw any process that could run, odd ones give processes priorities (PCT). A run that skips, as with
    `pytest.skip`, does not count; if all of them do, so does `explore`.

    Args:
        test: called with the kit of each run
        seeds: how many, or which
        jobs: processes that share the work; one for each processor by default
        shrinking_runs: how many runs may be spent on making the first failure small; 0 shows it as it was found

    Raises:
        Found: if a run fails, whatever it raises, with the seed and how to run it again
        ChildProcessError: if one of the processes dies, as by `os._exit` or a signal, with the seed that it ran.
    """
    all_seeds = list(range(seeds) if isinstance(seeds, int) else seeds)
    if replayed_seed is not None:
        all_seeds = [replayed_seed]
    jobs = min(jobs or os.cpu_count() or 1, len(all_seeds))
    result = _run_each(test, all_seeds) if jobs <= 1 else _shared(test, all_seeds, jobs)
    if result.interrupted is not None:
        attempt(test, result.interrupted)  # for what it raised, which is still in the other process
        raise KeyboardInterrupt
    if result.failed is not None:
        raise _found(test, result.failed, shrinking_runs)
    if result.skipped is not None and result.runs == 0:
        raise attempt(test, result.skipped)[1] or AssertionError(_not_again(result.skipped, "skipped"))
    return result.runs


def attempt(
    test: Simulated, seed: int | None, plan: Plan | None = None, *, traces: bool = False
) -> tuple[Kit, BaseException | None]:
    """Run `test` once; returns its kit and what it raised, be that a failure or a skip.

    Raises:
        KeyboardInterrupt: and what else is among `interrupts`.
    """
    kit = Kit(seed, plan=plan, traces=traces)
    try:
        kit.run(test(kit))
    except interrupts:
        raise
    except BaseException as failure:  # SystemExit and those of pytest too: it is what we look for
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        if isinstance(failure, interrupts):
            raise failure from None
        return kit, failure
    return kit, None


def _run_each(test: Simulated, seeds: Iterable[int]) -> _Result:
    runs, skipped = 0, None
    for seed in seeds:
        failure = attempt(test, seed)[1]
        if failure is None:
            runs += 1
        elif not isinstance(failure, skips):
            return _Result(runs, failed=seed, skipped=skipped)
        elif skipped is None:
            skipped = seed
    return _Result(runs, skipped=skipped)


def _shared(test: Simulated, seeds: Sequence[int], jobs: int) -> _Result:
    """As `_run_each`, in several processes."""
    context = multiprocessing.get_context("fork")
    workers: dict[Connection, tuple[Any, Sequence[int], Any]] = {}
    results: list[_Result] = []
    try:
        for number in range(jobs):
            receiving, sending = context.Pipe(duplex=False)
            share, at = seeds[number::jobs], context.RawValue("l", 0)
            worker = context.Process(target=_work, args=(test, share, at, sending), daemon=True)
            with warnings.catch_warnings():
                # A library has idle threads (numpy, for instance), of which the child has no use.
                warnings.simplefilter("ignore", DeprecationWarning)
                worker.start()
            sending.close()
            workers[receiving] = worker, share, at
        waiting = list(workers)
        while waiting:
            for ready in [receiving for receiving in wait(waiting) if isinstance(receiving, Connection)]:
                waiting.remove(ready)
                try:
                    result: _Result = ready.recv()
                except EOFError:
                    raise _died(*workers[ready]) from None
                if result.failed is not None or result.interrupted is not None:
                    return result
                results.append(result)
        skipped = [result.skipped for result in results if result.skipped is not None]
        return _Result(sum(result.runs for result in results), skipped=min(skipped, default=None))
    finally:
        for receiving, (worker, _, _) in workers.items():
            worker.kill()
            worker.join()
            receiving.close()


def _work(test: Simulated, seeds: Sequence[int], at: Any, sending: Connection) -> None:
    try:
        result = _run_each(test, _counted(seeds, at))
    except interrupts:
        result = _Result(interrupted=seeds[at.value])
    with contextlib.suppress(BrokenPipeError):
        sending.send(result)


def _counted(seeds: Sequence[int], at: Any) -> Iterator[int]:
    """The seeds; the parent sees in `at` which of them has its turn."""
    for at.value, seed in enumerate(seeds):
        yield seed


def _died(worker: Any, seeds: Sequence[int], at: Any) -> ChildProcessError:
    worker.join()
    code = worker.exitcode
    how = f"exited with code {code}" if code >= 0 else f"died of signal {-code} ({signal.strsignal(-code)})"
    seed = seeds[at.value]
    shown = ", ".join(map(str, seeds[: at.value + 1][-SEEDS_SHOWN:]))
    return ChildProcessError(
        f"a process of `explore` {how} in the run with seed {seed}; again: {replay_command(seed)}\n"
        f"the last seeds it ran: {shown}"
    )


def _not_again(seed: int, what: str) -> str:
    return f"seed {seed} {what} only once: something in the test is not drawn from the seed"


def _found(test: Simulated, seed: int, shrinking_runs: int) -> Found:
    kit, failure = attempt(test, seed)
    if failure is None or isinstance(failure, skips):
        raise AssertionError(_not_again(seed, "failed"))
    whole = kit.chance.plan()
    plan = shrink(test, seed, whole, failure, runs=shrinking_runs) if shrinking_runs else whole
    small, failure_of_small = attempt(test, seed, plan, traces=True)
    if failure_of_small is None or isinstance(failure_of_small, skips):
        failure_of_small = failure
    lines = small.trace()
    text = "\n".join(
        [
            "".join(traceback.format_exception_only(failure)).rstrip(),
            f"found with seed {seed}; again: {replay_command(seed)}",
            f"{len(plan)} of {len(whole)} decisions are needed for it: {describe_plan(plan)}",
            describe_run(small),
            f"the last {min(len(lines), LINES_OF_TRACE)} of {len(lines)} events:",
            *lines[-LINES_OF_TRACE:],
            "".join(traceback.format_exception(failure_of_small)),
        ]
    )
    return Found(text, seed, failure_of_small, plan, len(whole), lines)


def replay_command(seed: int) -> str:
    """How the user runs this seed again."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    return f"pytest {test!r} --canopy-seed {seed}" if test else f"explore(test, [{seed}])"


def describe_plan(plan: Plan) -> str:
    """Decisions as text."""
    return ", ".join(f"{name}[{at}]={taken}" for (name, at), taken in sorted(plan.items())[:40]) or "none"


def shrink(test: Simulated, seed: int, plan: Plan, failure: BaseException, *, runs: int) -> Plan:
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
        if left > 0 and len(without) < len(kept) and fails(without):
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
