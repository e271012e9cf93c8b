"""The faults that a lab can have: what breaks in real clusters, one class each."""
