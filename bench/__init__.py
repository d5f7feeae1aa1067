"""How fast Blastwall is, as a ratio to PostgreSQL itself and to PgBouncer, measured in the same run."""
