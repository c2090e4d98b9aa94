"""What is live on this node: trips, and who watches them."""
