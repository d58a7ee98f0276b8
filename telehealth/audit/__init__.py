"""A row for each read or change of patient data, in the same transaction."""
