"""The small node in a hospital's network: it runs the facility's queues while the line to the centre is cut."""
