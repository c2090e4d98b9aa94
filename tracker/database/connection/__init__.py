"""Connections to PostgreSQL: opening them, keeping them alive, sharing them through a pooler."""
