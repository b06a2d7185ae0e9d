"""The product: a pixel canvas that many people paint on at once.

`application` has the supervision tree, `config` the options, and `cli` the commands; each folder has one part of the
canvas, and its first lines say what runs there.
"""
