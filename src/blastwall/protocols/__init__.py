"""The wire protocols: one folder each, behind the one contract in `contract.py`."""
