"""The path of a pixel: a WebSocket's handler, the canvas that accepts and numbers it, the broadcaster that shows it.

There is one process per connection, and one each for the canvas, the broadcaster and the snapshot encoder. The rest is
pure. A message class is defined in the module of the process that handles it.
"""
