"""The history of a canvas: queries, archives and timelapses.

One process runs here, the historian. It reads the store, writes snapshots and indexes, and never delays a commit.
"""
