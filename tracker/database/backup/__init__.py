"""Backup and restore of the whole database as one file, without PostgreSQL's client programs."""
