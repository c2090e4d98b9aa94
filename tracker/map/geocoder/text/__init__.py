"""Text: names and numbers of addresses in the forms in which they are compared. Pure."""
