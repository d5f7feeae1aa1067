"""The gate: the one order in which a login and a statement are judged, recorded and answered."""
