"""The kiosk: who is there, what for, and the number; nothing kept of the last person."""
