"""The tree of a T-SQL request to its effects and lineage; changes when what a construct does is understood better."""
