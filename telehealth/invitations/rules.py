"""How many come along, and by whose word."""

MOST = 3
LONGEST_NAME = 100
TEXT_VERSION = "2026-11"  # the words of invitations-agree
RELATIONS = ("child", "spouse", "parent", "relative", "other")
