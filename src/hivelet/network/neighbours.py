"""How many neighbours the kernel must keep for many tasks. Pure."""

from __future__ import annotations

NEIGHBOURS = {"gc_thresh1": 8192, "gc_thresh2": 32768, "gc_thresh3": 65536}
"""How many neighbours the kernel keeps at least (`net/…/neigh/default`), of all its namespaces together: each task knows its gateway
and whoever it talks to, and is known by the host. Of the kernel's own 1024 there are none left with some 250 tasks, and then a
packet to whoever is not known yet is dropped ("neighbour table overflow"). One takes about half a KiB, once it is there."""

NEIGHBOUR_TABLES = ("net/ipv4/neigh/default", "net/ipv6/neigh/default")
