"""The small node in a hospital's network: it runs the queues while the line is cut."""
