"""What the tests of the page need."""

from tests.support.chromium import chromium

__all__ = ["chromium"]
