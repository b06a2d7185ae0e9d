"""The code in the docs passes `mypy --strict`, as a reader's own does that is made of it."""

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
"""Not the front page, which shows an actor in the fewest lines."""

BEFORE_THE_SUPERVISOR = """\
from actors import GenServer, Stop
from supervision import Strategy, Supervisor, child

class Source(GenServer): ...
class Sink(GenServer): ...
"""


def mypy(code: list[str], folder: Path) -> str:
    """What mypy says of programs, each by itself."""
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
