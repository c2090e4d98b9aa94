"""The dispatchers' board: the whole fleet in memory, while a dispatcher of this node watches."""
