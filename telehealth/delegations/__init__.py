"""One person lets another act for them: what, until when, and for how long it was so."""
