"""`make conformance`: the Autobahn test suite against `canopy run --echo`.

The suite is Python 2 code. It is installed into a private folder by a Python 2.7 of this machine, at the versions of
`autobahn.txt`. `--full` runs all of its 517 cases; otherwise those of groups 12 and 13 that take the longest are left
out. It ends with 1 unless every case is OK in the strict sense.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tests.support.served import ROOT, served

HOME = ROOT / ".venv" / "autobahn"
REQUIREMENTS = Path(__file__).with_name("autobahn.txt")
REPORTS = HOME / "reports"
INFORMATIONAL = frozenset({"7.1.6", "7.13.1", "7.13.2"})
"""Cases without a right answer: the suite only tells what it saw."""
LONGEST = tuple(f"{group}.*.{size}" for group in (12, 13) for size in (9, 10, 13, 14, 15, 16, 17, 18))
"""1,000 messages of 32 to 128 KiB each, some of them in fragments of 256 bytes."""
RUN_SUITE = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
"""For `python2.7 -c`: a folder of packages is no environment there, so it is added by hand."""


def main() -> int:
    """Install the suite if it is not there, run it, and print what came out."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all 517 cases")
    parser.add_argument("--cases", nargs="+", default=["*"], metavar="PATTERN", help="like 1.* or 9.1.6")
    options = parser.parse_args()
    python = find_python()
    if python is None:
        typer.echo("conformance: the Autobahn test suite needs a Python 2.7, and this machine has none", err=True)
        return 1
    install(python)
    return summarise(run(python, options.cases, () if options.full else LONGEST))


def find_python() -> str | None:
    """Find a Python 2.7 that starts: on the PATH, where it may be a shim for another one, or among those of pyenv."""
    return next(filter(_starts, _candidates()), None)


def _candidates() -> Iterator[str]:
    for name in ("python2.7", "python2"):
        if path := shutil.which(name):
            yield path
    roots = [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]
    for root in filter(None, roots):
        yield from map(str, sorted(Path(root).glob("versions/2.7*/bin/python2.7"), reverse=True))


def _starts(python: str) -> bool:
    outcome = subprocess.run([python, "-c", "import sys; print(sys.version_info[:2] == (2, 7))"], capture_output=True)
    return outcome.stdout.strip() == b"True"


def install(python: str) -> None:
    """Build the suite, unless that has been done with these requirements."""
    stamp = HOME / "installed.txt"
    if stamp.exists() and stamp.read_bytes() == REQUIREMENTS.read_bytes():
        return
    shutil.rmtree(HOME, ignore_errors=True)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    subprocess.run([*command, "--target", HOME / "site", "-r", REQUIREMENTS], check=True, env=environment)
    shutil.copy(REQUIREMENTS, stamp)


def run(python: str, cases: list[str], excluded: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Run the suite; returns what it reports of each case."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "data", "--compression", "on") as server:
        spec = Path(folder) / "spec.json"
        servers = [{"agent": "canopy", "url": server.echo}]
        spec.write_text(
            json.dumps({"outdir": str(REPORTS), "servers": servers, "cases": cases, "exclude-cases": list(excluded)})
        )
        command = [python, "-c", RUN_SUITE, str(HOME / "site"), "--mode", "fuzzingclient", "--spec", str(spec)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    reports: dict[str, dict[str, Any]] = json.loads((REPORTS / "index.json").read_text())["canopy"]
    return reports


def summarise(reports: dict[str, dict[str, Any]]) -> int:
    """Print the counts and every case that is not OK; returns the exit code."""
    bad = {case: report for case, report in reports.items() if not is_ok(case, report)}
    for case, report in sorted(bad.items(), key=lambda item: [int(part) for part in item[0].split(".")]):
        details = REPORTS / report["reportfile"]
        typer.echo(f"{case}: {report['behavior']}, closing {report['behaviorClose']} ({details})")
    counts = Counter(str(report["behavior"]) for report in reports.values())
    typer.echo(f"{len(reports)} cases: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")
    return 1 if bad or not reports else 0


def is_ok(case: str, report: dict[str, Any]) -> bool:
    """Tell whether a case went as the strictest reading of the RFC wants it, its closing handshake included."""
    if case in INFORMATIONAL:
        return report["behavior"] in ("OK", "INFORMATIONAL")
    return report["behavior"] == "OK" and report["behaviorClose"] in ("OK", "INFORMATIONAL")


if __name__ == "__main__":
    sys.exit(main())
