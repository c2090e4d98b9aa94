"""What forecasts leave in the database: their errors, and what was learned from them."""
