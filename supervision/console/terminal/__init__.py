"""The console in a terminal: the client of the admin socket, the text of the answers, and the full-screen console.

It runs in the command line's own process, and knows the server by the API alone.
"""
