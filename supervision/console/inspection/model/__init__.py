"""Pure. What the console shows, as plain data: the shapes of the API's answers, one module for each group of them.

Times are in seconds, sizes in bytes. A reference is the number of a process as text. A page of a longer list says how
many there are in all (`total`), of which it shows those from `offset` on. What comes by the thousand has no slots:
it is encoded in a quarter of the time.
"""
