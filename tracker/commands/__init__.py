"""What the commands of `tracker` do. `tracker.__main__` declares their options."""
