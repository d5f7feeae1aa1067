"""The protocol's own tests."""
