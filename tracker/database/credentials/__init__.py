"""What clients identify themselves with: API keys, drivers' tokens and pairing codes."""
