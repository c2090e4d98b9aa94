"""What dispatchers see: the board, and the audit of what was done with each key."""
