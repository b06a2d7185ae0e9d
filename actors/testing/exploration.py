"""Exploration: many runs of one test with different seeds. The first failure is minimised and shown."""

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
"""Maximum number of runs that `explore` spends by default on minimising a failure."""
LINES_OF_TRACE = 120
"""Number of the last lines of the trace that a failure shows."""
SEEDS_SHOWN = 10
"""Number of the last seeds that the error for a dead worker shows."""

replayed_seed: int | None = None
"""The only seed to run; set by `pytest --canopy-seed`."""
skips: tuple[type[BaseException], ...] = (SkipTest,)
"""Exceptions that skip a run; the pytest plugin adds pytest's own."""
interrupts: tuple[type[BaseException], ...] = (KeyboardInterrupt,)
"""Exceptions that end the exploration; the pytest plugin adds that of `pytest.exit`."""


class Found(PortableException, AssertionError):
    """A run failed.

    Attributes:
        seed: the seed of the run
        failure: the exception of the minimised run
        plan: the decisions that the failure needs; all others have their default outcome
        decisions: number of decisions without their default outcome before it was minimised
        trace: the events of the minimised run
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
    """The results of several runs, as seeds: unlike some exceptions, these can be sent between processes.

    Attributes:
        runs: number of runs that passed
        failed: the first seed that failed; later ones did not run
        skipped: the first seed that was skipped
        interrupted: the seed that was interrupted; later ones did not run
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
    """Run `test` with each of `seeds`; return the number of runs that passed.

    Even seeds run a random process next, odd ones give processes priorities (PCT). A run that skips, with `pytest.skip`
    for instance, does not count; if all of them skip, so does `explore`.

    Args:
        test: called with the kit of each run
        seeds: the number of seeds, or the seeds
        jobs: number of processes that share the work; by default one per processor
        shrinking_runs: maximum number of runs to minimise the first failure; 0 shows it as it was found

    Raises:
        Found: if a run fails, whatever it raises; it names the seed and how to run it again
        ChildProcessError: if a worker dies, by `os._exit` or a signal for instance; it names the seed.
    """
    all_seeds = list(range(seeds) if isinstance(seeds, int) else seeds)
    if replayed_seed is not None:
        all_seeds = [replayed_seed]
    jobs = min(jobs or os.cpu_count() or 1, len(all_seeds))
    result = _run_each(test, all_seeds) if jobs <= 1 else _run_in_workers(test, all_seeds, jobs)
    if result.interrupted is not None:
        run_once(test, result.interrupted)  # raises the interrupt again, in this process
        raise KeyboardInterrupt
    if result.failed is not None:
        raise _minimised(test, result.failed, shrinking_runs)
    if result.skipped is not None and result.runs == 0:
        raise run_once(test, result.skipped)[1] or AssertionError(_not_reproducible(result.skipped, "skipped"))
    return result.runs


def run_once(
    test: Simulated, seed: int | None, plan: Plan | None = None, *, traces: bool = False
) -> tuple[Kit, BaseException | None]:
    """Run `test` once; return its kit and the exception of a failure or a skip, or None.

    Raises:
        KeyboardInterrupt, and all other `interrupts`.
    """
    kit = Kit(seed, plan=plan, traces=traces)
    try:
        kit.run(test(kit))
    except interrupts:
        raise
    except BaseException as failure:  # SystemExit and pytest's exceptions are failures too
        while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            failure = failure.exceptions[0]
        if isinstance(failure, interrupts):
            raise failure from None
        return kit, failure
    return kit, None


def _run_each(test: Simulated, seeds: Iterable[int]) -> _Result:
    runs, skipped = 0, None
    for seed in seeds:
        failure = run_once(test, seed)[1]
        if failure is None:
            runs += 1
        elif not isinstance(failure, skips):
            return _Result(runs, failed=seed, skipped=skipped)
        elif skipped is None:
            skipped = seed
    return _Result(runs, skipped=skipped)


def _run_in_workers(test: Simulated, seeds: Sequence[int], jobs: int) -> _Result:
    """Do the same as `_run_each`, in several processes."""
    context = multiprocessing.get_context("fork")
    workers: dict[Connection, tuple[Any, Sequence[int], Any]] = {}
    results: list[_Result] = []
    try:
        for number in range(jobs):
            receiving, sending = context.Pipe(duplex=False)
            share, at = seeds[number::jobs], context.RawValue("l", 0)
            worker = context.Process(target=_run_worker, args=(test, share, at, sending), daemon=True)
            with warnings.catch_warnings():
                # Python warns of a fork with threads: those of libraries such as numpy are idle, and not needed here.
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
                    raise _worker_died(*workers[ready]) from None
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


def _run_worker(test: Simulated, seeds: Sequence[int], at: Any, sending: Connection) -> None:
    try:
        result = _run_each(test, _track(seeds, at))
    except interrupts:
        result = _Result(interrupted=seeds[at.value])
    with contextlib.suppress(BrokenPipeError):
        sending.send(result)


def _track(seeds: Sequence[int], at: Any) -> Iterator[int]:
    """Yield the seeds, and store the index of the current one in `at`, where the parent reads it."""
    for at.value, seed in enumerate(seeds):
        yield seed


def _worker_died(worker: Any, seeds: Sequence[int], at: Any) -> ChildProcessError:
    worker.join()
    code = worker.exitcode
    how = f"exited with code {code}" if code >= 0 else f"died of signal {-code} ({signal.strsignal(-code)})"
    seed = seeds[at.value]
    shown = ", ".join(map(str, seeds[: at.value + 1][-SEEDS_SHOWN:]))
    return ChildProcessError(
        f"a process of `explore` {how} in the run with seed {seed}; again: {replay_command(seed)}\n"
        f"the last seeds it ran: {shown}"
    )


def _not_reproducible(seed: int, what: str) -> str:
    return f"seed {seed} {what} only once: something in the test does not depend on the seed alone"


def _minimised(test: Simulated, seed: int, shrinking_runs: int) -> Found:
    """Minimise the failure of a seed, and describe it."""
    kit, failure = run_once(test, seed)
    if failure is None or isinstance(failure, skips):
        raise AssertionError(_not_reproducible(seed, "failed"))
    whole = kit.chance.plan()
    plan = shrink(test, seed, whole, failure, runs=shrinking_runs) if shrinking_runs else whole
    small, failure_of_small = run_once(test, seed, plan, traces=True)
    if failure_of_small is None or isinstance(failure_of_small, skips):
        failure_of_small = failure
    lines = small.trace()
    text = "\n".join(
        [
            "".join(traceback.format_exception_only(failure)).rstrip(),
            f"found with seed {seed}; again: {replay_command(seed)}",
            f"it needs {len(plan)} of {len(whole)} decisions: {describe_plan(plan)}",
            describe_run(small),
            f"the last {min(len(lines), LINES_OF_TRACE)} of {len(lines)} events:",
            *lines[-LINES_OF_TRACE:],
            "".join(traceback.format_exception(failure_of_small)),
        ]
    )
    return Found(text, seed, failure_of_small, plan, len(whole), lines)


def replay_command(seed: int) -> str:
    """Return the command that runs this seed again."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    return f"pytest {test!r} --canopy-seed {seed}" if test else f"explore(test, [{seed}])"


def describe_plan(plan: Plan) -> str:
    """Format decisions as text."""
    return ", ".join(f"{name}[{at}]={taken}" for (name, at), taken in sorted(plan.items())[:40]) or "none"


def shrink(test: Simulated, seed: int, plan: Plan, failure: BaseException, *, runs: int) -> Plan:
    """Find fewer decisions with which `test` still raises the same type: first drop whole streams, then parts.

    (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002)
    """
    left = runs

    def fails(decisions: Iterable[Decision]) -> bool:
        nonlocal left
        left -= 1
        found = run_once(test, seed, {decision: plan[decision] for decision in decisions})[1]
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
