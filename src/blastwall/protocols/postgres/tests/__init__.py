"""The protocol's own tests, and what it shows of itself to the conformance suite."""
