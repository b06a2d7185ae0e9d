"""The board: the colours of a canvas, and the rules of who may paint what, where and when.

No process runs here; all of it is pure. The rest of `canvas` builds on it, and it imports none of that.
"""
