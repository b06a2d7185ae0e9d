"""A pipe that is full, and that nobody reads until a test does."""

import contextlib
import os


class FullPipe:
    """A full pipe.

    Attributes:
        reading: the end for the test
        writing: the end for a process
        size: bytes that it was filled with
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        self.size = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self.size += os.write(self.writing, b".")
        os.set_blocking(self.writing, True)

    def read(self) -> bytes:
        """Read what others write, until they have closed it, and close it."""
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as reader:
            return reader.read()[self.size :]

    def close(self) -> None:
        """Close both ends."""
        os.close(self.reading)
        os.close(self.writing)
