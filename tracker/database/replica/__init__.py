"""A streaming replica for reads of the past; never for tokens, visibility or the states of orders."""
