"""Load: many drivers and customers from one process, and how long the service takes."""
