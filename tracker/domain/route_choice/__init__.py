"""Which of several ways drivers take."""
