"""Service requests: referrals to another facility, and slips to come again."""
