"""The Docker Engine API server: parses requests, asks a backend, writes JSON. Decides nothing of its own.

`backend` says what is asked, `routes/` which path asks it, `hivelet.convert` what the answers look like.
"""
