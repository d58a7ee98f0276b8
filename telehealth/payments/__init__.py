"""Deposits by bank transfer (VietQR), matched by the bank's signed webhook, refunded by policy."""
