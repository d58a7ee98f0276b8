"""A facility's roster lines from a file: what it would change is shown first."""
