"""What moderators and operators do: pages of the console, bans and kicks, rollbacks.

Its functions run in the processes of the console's connections, and change the canvas by messages only.
"""
