"""The way of a pixel: the handler of a WebSocket, the canvas that accepts and numbers, the broadcaster that shows.

One process runs for each connection, and one each as canvas, broadcaster and snapshot encoder; what they share and keep
is pure. A message class stands in the module of the process that handles it.
"""
