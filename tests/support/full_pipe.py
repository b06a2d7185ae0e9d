"""A pipe that is full, and that nobody reads until a test does."""

import contextlib
import os


class FullPipe:
    """A full pipe.

    Attributes:
        reading: the end for the test
        writing: the end for a process
        size: bytes that it was filled with at first
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.size = self.fill()

    def fill(self) -> int:
        """Fill it up; returns the number of bytes. `writing` goes on to block."""
        own = os.open(f"/proc/self/fd/{self.writing}", os.O_WRONLY | os.O_NONBLOCK)
        size = 0
        try:
            for piece in (b"." * 4096, b"."):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        size += os.write(own, piece)
        finally:
            os.close(own)
        return size

    def read_until(self, text: bytes) -> None:
        """Read up to a text, and what there is behind it."""
        found = b""
        while text not in found:
            found = found[-len(text) :] + os.read(self.reading, 65_536)

    def read(self) -> bytes:
        """Read what others write, until they have closed it, and close it."""
        os.close(self.writing)
        with os.fdopen(self.reading, "rb") as reader:
            return reader.read()[self.size :]

    def close(self) -> None:
        """Close both ends."""
        os.close(self.reading)
        os.close(self.writing)
