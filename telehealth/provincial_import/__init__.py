"""The province's files: read, checked, compared and taken over, whole or not at all."""
