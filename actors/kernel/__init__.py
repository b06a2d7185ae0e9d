"""The kernel: what a process is (life, mailbox, links and monitors, calls, deadlines) and the scheduler that runs it.

`cell`, `links`, `call`, `process`, `ref` and `scheduler` are one data structure and import each other; the rest do not.
Nothing outside `actors/` may touch it: the public names are those of `actors`, and `actors.debug` to look.
"""
