"""One folder per provider, all alike: `channel.py` speaks to it, `codes.yaml` says what its answers mean."""
