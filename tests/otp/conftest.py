"""One test case for each scenario and run order; the counts at the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.otp.replay import Scenario, load

OURS = Path(__file__).parent / "scenarios"
FILE = "otp-scenarios"
"""The property of a report that says which file a scenario is from."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a case of every scenario in every run order."""
    if "scenario" not in metafunc.fixturenames:
        return
    seeds = [None, *range(1, metafunc.config.getoption("--otp-seeds"))]
    folder = metafunc.config.getoption("--scenarios") or OURS
    cases = [(file, scenario, seed) for file, scenario in _scenarios(folder) for seed in seeds]
    names = [scenario["name"] + ("" if seed is None else f"-seed{seed}") for _, scenario, seed in cases]
    metafunc.parametrize(("file", "scenario", "seed"), cases, ids=names)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many scenarios of each file ended as in OTP."""
    replayed: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            file = dict(report.user_properties).get(FILE)
            if file is not None and report.when == "call":
                replayed[str(file)] += 1
                passed[str(file)] += outcome == "passed"
    if replayed:
        terminalreporter.section("OTP scenarios")
        for file, count in replayed.items():
            terminalreporter.line(f"{passed[file]:6} of {count:6} as in OTP   {file}")
        terminalreporter.line(f"{passed.total():6} of {replayed.total():6} as in OTP")


def _scenarios(folder: Path) -> list[tuple[str, Scenario]]:
    files = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
    found = [(file.name, scenario) for file in files for scenario in load(file)]
    if not found:
        raise pytest.UsageError(f"--scenarios {folder}: no scenario file there")
    return found
