"""Reminders in the browser itself: who turns them on, and what a page shows of that."""
