"""Reads a running system as plain data: actors, connections, names, crashes, the last hour, traces.

No process runs here, and nothing here changes the system. A new column is a field in `model`, filled in by the module
of its table.
"""
