"""Route choice: the routes that drivers prefer, learned from the paths they drive."""
