"""What customers receive: the hub with its channels and subscriptions, and the publisher that feeds it."""
