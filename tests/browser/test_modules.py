"""Modules in Node: of the page, with a stub of a browser whose clock the tests move; and pure ones of the console."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = Path(__file__).with_name("modules")
STATIC = Path(__file__).parents[2] / "canvas" / "web" / "static"
CONSOLE = Path(__file__).parents[2] / "supervision" / "console" / "web" / "static"


@pytest.fixture(scope="session")
def node() -> str:
    """Where Node is."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no Node: `apt-get install nodejs` to run this")
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests beside the page's modules, which Node takes for modules only if a package.json says so."""
    folder = tmp_path_factory.mktemp("modules")
    shutil.copytree(MODULES, folder, dirs_exist_ok=True)
    shutil.copytree(STATIC, folder / "static")
    shutil.copytree(CONSOLE, folder / "console")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.mark.parametrize("name", sorted(path.name for path in MODULES.glob("*.test.mjs")))
def test_modules_of_the_page(name: str, node: str, folder: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NODE_")}
    command = [node, "--test", "--test-reporter=tap", name]
    outcome = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
