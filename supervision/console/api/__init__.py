"""The console's API: its routes and the roles they require, the audit log, and the live WebSocket.

Two processes run here: the sampler, and the writer of the audit log. An application adds pages, routes and actions
through `Extensions`.
"""
