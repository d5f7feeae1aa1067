"""Recordings: written before what they record is acted on, and proven untouched afterwards. ADR 0003 has the format."""
