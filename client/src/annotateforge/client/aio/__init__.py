"""The client for asyncio, from which the other one is made: see `client/make_sync.py`."""
