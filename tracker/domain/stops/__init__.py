"""In which sequence, and when, stops are served."""
