"""One-command mode: environment, PostgreSQL of our own, the product's processes under one supervisor.

`bootstrap` runs on a bare Python and may import only the standard library; the rest runs inside `.venv`.
"""
