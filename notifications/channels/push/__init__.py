"""Web push to browsers."""
