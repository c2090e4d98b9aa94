"""What phone apps send and how they are set up."""
