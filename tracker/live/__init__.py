"""The live trips of this node and the customers who watch them."""
