"""The frozen values that every other folder speaks in; they know no protocol, no socket and no clock."""
