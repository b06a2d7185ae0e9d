"""`python -m tests.bench.soak`."""

from tests.bench.soak.cli import main

if __name__ == "__main__":
    main()
