"""The gate's port Budgets: what agents take is added up over all processes and nodes; changes when its bounds do."""

from blastwall.budgets.bounds import Bound, bounds_of
from blastwall.budgets.budgets import StoredBudgets
from blastwall.budgets.presences import Presences

__all__ = ["Bound", "Presences", "StoredBudgets", "bounds_of"]
