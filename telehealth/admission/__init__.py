"""A waiting room at the hour of a release: drawn before it, first come after it, let in at a rate."""
