error-encounter-over = This visit is over.
