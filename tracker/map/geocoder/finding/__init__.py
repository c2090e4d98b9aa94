"""Finding: the search in the index."""
