"""The demonstration: a made-up province, its people and their accounts."""
