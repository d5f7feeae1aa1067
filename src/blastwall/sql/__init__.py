"""SQL text to effects, one package a dialect; changes when a dialect's meaning of a text is understood better."""
