"""The board: what is painted, and what may be painted, where and by whom. No process runs here; all of it is pure.

Everything else of the canvas builds on it, and it imports nothing of them.
"""
