"""The database: connections, named statements, and a module of coroutines for each kind of row."""

from tracker.database.pool import Connection, Database, Queries, Reads, Row

__all__ = ["Connection", "Database", "Queries", "Reads", "Row"]
