"""The realtime process: room signalling by WebSocket, boards and queue places by server-sent events.

It knows no Flask and no feature. It reads rows (`store.py` holds every statement), listens for hints from
PostgreSQL, and forwards. `app.py` is the way in.
"""
