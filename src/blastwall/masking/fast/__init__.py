"""Whole runs of cells masked at once; it changes when what is commonest in results changes, never what is found.

Everything here says what its model in `masking` says, or that it is in doubt: then the model is asked. Cells are plain
positions in a buffer, what is found are numbers in an array, and nothing becomes an object on the way.
"""
