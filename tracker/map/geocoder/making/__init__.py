"""Making: the index from the extract, at map preparation."""
