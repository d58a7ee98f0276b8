"""The waitlist: who waits for a place, and how a place that becomes free is offered down the line."""
