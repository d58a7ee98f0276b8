"""Patterns that sellers of places leave behind, for those who oversee; evidence, never a verdict."""
