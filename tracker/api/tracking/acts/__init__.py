"""What customers may do on their page, where the merchant's brand allows it."""
