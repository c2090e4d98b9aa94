"""The merchant's brand: its logo made safe, and the brand of a node at hand."""
