"""Events for merchants' programs: the list, its stream and webhooks."""
