"""The console's API: one table of all that can be asked, who may ask it, the audit log, and the live WebSocket.

Two processes run here: the sampler, and the writer of the audit log. An application adds pages, routes and actions by
`Sources`.
"""
