"""What every client says, and hears again."""

import random

TEXTS = ["", "Hello", "κόσμε 😀", "a" * 125, "b" * 126, "a text that is long enough to be compressed. " * 2_000]
BINARIES = [b"", bytes(range(256)), random.Random(7).randbytes(70_000), bytes(1_000_000)]
FRAGMENTS = ["frag", "", "ments of a message, ", "long enough to be compressed " * 50]
