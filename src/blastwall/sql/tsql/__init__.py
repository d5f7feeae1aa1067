"""T-SQL text to effects."""
