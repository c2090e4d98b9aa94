"""Events for merchants' programs: what they are, and when forecasts make one."""
