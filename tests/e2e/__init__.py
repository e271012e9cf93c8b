"""The suites, run as a user runs them, against the lab: healthy, broken, and hard to look at."""
