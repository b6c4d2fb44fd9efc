"""A node's engine in memory behind the API: what a test puts in is what it has; nothing runs.

For tests of the API and of clients. `engine.FakeEngine` is made of one class for each group of routes.
"""
