"""The product: a pixel canvas that many users paint on at once.

`application` has the supervision tree, `config` the options, and `cli` the commands. Each subpackage is one part of the
canvas; its docstring says which processes run there.
"""
