"""The replay of recorded tracks."""
