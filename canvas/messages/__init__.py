"""The messages between clients and the canvas: as values, and as bytes of two codecs, JSON and binary.

No process runs here; all of it is pure. A new message is a value in `values`, and a method of `Codec` in both codecs.
"""
