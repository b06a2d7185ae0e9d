"""What can be seen of a running system, as plain data: actors, connections, names, crashes, the last hour, traces.

No process runs here, and nothing here changes what it looks at. A new column is a field in `model`, filled by the
module of its table.
"""
