"""One person, one record: likely doubles are found, and two records are made one."""
