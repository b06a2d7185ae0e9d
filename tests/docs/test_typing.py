"""The code in the docs passes `mypy --strict`, so that a reader can start from it."""

import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from supervision import Supervisor
from tests.docs.pages import ROOT, blocks

PAGES = [ROOT / "docs" / "tutorial.md", *(ROOT / "docs" / "guides").glob("*.md")]
"""Without README.md, which shows an actor in as few lines as possible."""

BEFORE_THE_SUPERVISOR = """\
from actors import GenServer, Stop
from supervision import Strategy, Supervisor, child

class Source(GenServer): ...
class Sink(GenServer): ...
"""


def mypy(code: list[str], folder: Path) -> str:
    """Return the output of mypy for separate programs."""
    files = [folder / f"program_{number}.py" for number in range(len(code))]
    for file, text in zip(files, code, strict=True):
        file.write_text(text)
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / 'docs'}"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, files)],
        capture_output=True, text=True, env=environment, cwd=folder, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_code_in_the_docs_passes_mypy_strict(tmp_path: Path) -> None:
    code = ["\n".join(blocks(str(page))) for page in PAGES]
    about = inspect.getdoc(Supervisor) or ""
    (example,) = re.findall(r"^    class Pipeline.*?(?=^\S)", about, re.MULTILINE | re.DOTALL)
    code.append(BEFORE_THE_SUPERVISOR + textwrap.dedent(example))
    said = mypy(code, tmp_path)
    assert said.startswith("Success: no issues found in"), said
