"""What the canvas answers over HTTP, and the page.

The routes run in the processes of the connections; one process with a thread of its own encodes pictures. `static/` is
the page: `net/` talks to the server, `paint/` decides what to paint, `view/` draws, `ui/` is around the canvas.
"""
