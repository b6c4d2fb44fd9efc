"""Containers by conmon: `runtime` is the door; `creation` makes them, `probe` runs health checks in them, `leftovers` cleans up, `monitors` ends a conmon."""
