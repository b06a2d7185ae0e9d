"""`python -m canvas`: the command line."""

from canvas.cli import main

main()
