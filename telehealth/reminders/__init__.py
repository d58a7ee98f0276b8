"""Messages that follow an appointment."""
