"""The modules of both front ends in Node: the pure ones as they are, the others with a stub of a browser."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = Path(__file__).with_name("modules")


@pytest.fixture(scope="session")
def node() -> str:
    """Where Node is."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no Node: `apt-get install nodejs` to run this")
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in MODULES.glob("*.test.mjs")))
def test_modules_of_the_page(name: str, node: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NODE_")}
    command = [node, "--test", "--test-reporter=tap", name]
    outcome = subprocess.run(command, cwd=MODULES, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
