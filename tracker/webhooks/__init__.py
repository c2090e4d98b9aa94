"""Events for merchants' programs: the feed that numbers them, and the webhooks that send them."""
