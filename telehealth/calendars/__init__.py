"""A family's appointments in the calendar of a telephone: one address to subscribe to, and to revoke."""
