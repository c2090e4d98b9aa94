"""Events: the outbox that is written with each change, and the list that is read from it."""
