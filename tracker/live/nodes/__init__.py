"""What the nodes of one service share: leases of trips, fixes that reached another node, views, changes."""
