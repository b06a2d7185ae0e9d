"""The kernel: processes (lifecycle, mailbox, links and monitors, calls, deadlines) and the scheduler that runs them.

`cell`, `links`, `call`, `process`, `ref` and `scheduler` are one data structure and import each other; the rest do not.
Only `actors/` imports the kernel: the public names are those of `actors`, and of `actors.debug` for introspection.
"""
