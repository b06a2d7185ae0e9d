"""The examples of docs/testing.md run as tests."""

import pytest

from tests.docs.pages import ROOT, blocks

pytest_plugins = ["pytester"]


def test_examples_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest('pytest_plugins = ["actors.testing.plugin"]')
    pytester.makepyfile(test_examples="\n".join(blocks("docs/testing.md")))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=21)
