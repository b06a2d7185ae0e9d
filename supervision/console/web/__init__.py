"""The web console: its port's gate and routes, and its pages in `static/`.

It runs in the processes of the console's connections.
"""
