"""Queue numbers: issued once, called in order, shown on boards."""
