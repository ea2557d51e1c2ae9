"""The centre's one database: SQLite now, PostgreSQL from the same source; the only SQL."""
