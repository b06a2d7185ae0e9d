"""`python -m tests.fuzz TARGET [OPTION...]`: atheris, for as long as one likes. The options are libFuzzer's.

pip install atheris
python -m tests.fuzz session -max_total_time=600 corpus/
"""

import importlib
import sys

import typer

from tests.fuzz.targets import TARGETS


def main() -> int:
    """Fuzz one target until it fails."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        typer.echo(f"usage: python -m tests.fuzz {'|'.join(TARGETS)} [OPTION...]", err=True)
        return 2
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        typer.echo("atheris is not installed: pip install atheris (the suite itself uses hypothesis)", err=True)
        return 2
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
