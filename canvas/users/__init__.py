"""Who paints: identities in signed cookies, and bans of users and networks.

No process runs here. Both outlive every process, in files of the data folder.
"""
