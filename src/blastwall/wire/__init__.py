"""Buffers and framing shared by the protocols: bytes in, messages and spans out."""
