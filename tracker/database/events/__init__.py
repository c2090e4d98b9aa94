"""Timelines and milestones, the outbox of events that is written with them, and the list of events."""
