"""The console in a terminal: the client of the admin socket, the formatting of responses, and the full-screen console.

It runs in the command's own OS process, and depends on the server only through the API.
"""
