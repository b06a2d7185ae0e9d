"""The web console: its port's front door, its routes, and in `static/` its page.

They run in the processes of the console's connections.
"""
