"""A provider to practise with: it answers as Twilio, Zalo and eSMS do, keeps a ledger and fails on request.

Demo and tests only. What it records is written by itself, not by the product, and so can judge it.
"""
