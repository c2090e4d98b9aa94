"""What nodes of one service share in the database: leases, and what a node polls."""
