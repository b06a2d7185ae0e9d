"""Pure. The types of the API's responses, one module per group.

Times are in seconds, sizes in bytes. A reference is the number of a process, as a string. A page of a longer list has
the rows from `offset` on, and the number of all rows (`total`). Rows that come by the thousand have no slots, which
makes their encoding four times as fast.
"""
