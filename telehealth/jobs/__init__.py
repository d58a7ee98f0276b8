"""The worker process: a clock that ticks in one worker only, and the dispatcher of messages in every one.

A job is a file here with one function `run(work, now)`, and a line in `table.py`. It must be safe to run
twice: after a lost connection two workers can overlap for a moment.
"""
