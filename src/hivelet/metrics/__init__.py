"""What hiveletd tells Prometheus: one page, read off the store and the engine at the moment it is asked for.

What there *is* (services, tasks, containers) is no counter that somebody must keep right: `swarm.py` and `node.py` make it of the
present state, purely. What *happens* (restarts, requests, flushes, drains) is counted where it happens, by instruments of
prometheus-client that belong to their part and to no global registry; `page.py` puts all together.
"""
