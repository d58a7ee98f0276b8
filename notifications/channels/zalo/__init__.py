"""Zalo template messages (ZBS, formerly ZNS) from the province's official account."""
