"""The bus: short messages between the nodes of one service. It may lose any of them."""
