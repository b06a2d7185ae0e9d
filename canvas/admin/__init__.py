"""Moderation and operation of a canvas: console pages, bans and kicks, rollbacks.

This code runs in the console's connection processes. It changes the canvas only by messages.
"""
