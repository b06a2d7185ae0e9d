"""The product: a pixel canvas that many people paint on at once."""
