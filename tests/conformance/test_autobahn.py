"""The driver of the Autobahn test suite: what it counts as passed, and what it says without a Python 2.7."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import autobahn


def report(behavior: str, closing: str = "OK") -> dict[str, Any]:
    return {"behavior": behavior, "behaviorClose": closing, "reportfile": "case.json"}


@pytest.mark.parametrize(
    ("case", "outcome", "code"),
    [
        ("1.1.1", report("OK"), 0),
        ("1.1.1", report("OK", "INFORMATIONAL"), 0),
        ("1.1.1", report("NON-STRICT"), 1),
        ("1.1.1", report("FAILED"), 1),
        ("1.1.1", report("UNIMPLEMENTED"), 1),
        ("1.1.1", report("INFORMATIONAL"), 1),
        ("1.1.1", report("OK", "UNCLEAN"), 1),
        ("1.1.1", report("OK", "WRONG CODE"), 1),
        ("7.1.6", report("INFORMATIONAL", "INFORMATIONAL"), 0),
        ("7.1.6", report("FAILED"), 1),
    ],
)
def test_only_what_is_strictly_ok_passes(case: str, outcome: dict[str, Any], code: int) -> None:
    assert autobahn.summarise({"2.10": report("OK"), case: outcome}) == code


def test_a_run_without_a_case_does_not_pass() -> None:
    assert autobahn.summarise({}) == 1


def test_every_case_that_is_not_ok_is_named_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    autobahn.summarise({"10.1": report("FAILED"), "9.2": report("NON-STRICT"), "1.1": report("OK")})
    nine, ten, counts = capsys.readouterr().out.splitlines()
    assert nine.startswith("9.2: NON-STRICT, closing OK")
    assert ten.startswith("10.1: FAILED, closing OK")
    assert counts == "3 cases: 1 FAILED, 1 NON-STRICT, 1 OK"


def test_without_a_python_2_7_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shim = tmp_path / "python2.7"  # as pyenv has one for versions that are not chosen
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["autobahn"])
    assert autobahn.main() == 1
    assert "needs a Python 2.7, and this machine has none" in capsys.readouterr().err
