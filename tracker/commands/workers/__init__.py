"""`tracker serve --workers`: several nodes on one machine, behind one port."""
