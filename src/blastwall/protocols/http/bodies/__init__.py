"""Bodies of answers: decoded, masked, with their links rewritten, and kept for recordings, as they stream."""
