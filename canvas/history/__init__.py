"""The past of a canvas: questions to it, archives of it, and moving pictures of it.

One process runs here, the historian. It reads the store, writes snapshots and indexes, and never delays a commit.
"""
