"""The motion of simulated vehicles."""
