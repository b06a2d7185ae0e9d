"""The HTTP routes of the canvas, and its page.

The routes run in the connection processes; one process with a thread of its own encodes pictures. `static/` is the
page: `net/` talks to the server, `paint/` decides what to paint, `view/` draws, `ui/` is everything around the canvas.
"""
