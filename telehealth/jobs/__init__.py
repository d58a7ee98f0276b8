"""Jobs of the worker: each a few lines that call one service."""
