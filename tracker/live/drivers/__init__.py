"""The drivers: their live trips, connections, duty, milestones and silence."""
