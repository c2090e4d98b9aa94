"""Events for merchants' programs: what they are, where webhooks may go, and when one is sent again."""
