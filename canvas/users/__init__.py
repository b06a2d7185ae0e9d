"""Users: identities in signed cookies, and bans of users and networks.

No process runs here. The keys and the bans are files in the data folder, so they outlive every process.
"""
