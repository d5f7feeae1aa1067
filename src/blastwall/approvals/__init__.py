"""Who approves a held statement; changes when people are asked in another way."""
