"""Signing in with a passkey (WebAuthn Level 2): no code has to travel, from wherever in the world."""
