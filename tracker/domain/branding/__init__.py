"""The merchant's brand on the customers' pages."""
