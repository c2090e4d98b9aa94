"""What all pages share: the brand's files."""
