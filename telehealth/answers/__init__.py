"""What people answer to a message by its link, without signing in."""
