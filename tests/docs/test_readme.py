"""The code in README.md runs, and prints what the comments say."""

import os
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, blocks

pytest_plugins = ["pytester"]


def run(script: str) -> list[str]:
    """Run a program as a user would; return the lines it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_counter_prints_what_the_page_says() -> None:
    program = blocks("README.md")[0]
    said = [line.partition("  # ")[2] for line in program.splitlines() if line.strip().startswith("print(")]
    printed = [line for line in run(program) if line.isdigit()]
    assert printed == said == ["42", "40"]


def test_the_test_of_the_counter_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest('pytest_plugins = ["actors.testing.plugin"]')
    pytester.makepyfile(test_counter=blocks("README.md")[1])
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)
