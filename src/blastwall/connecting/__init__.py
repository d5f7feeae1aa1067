"""What `blastwall connect` runs: where tokens come from, a port that needs no password, and the client beside it."""
