"""Setup of phone apps."""
