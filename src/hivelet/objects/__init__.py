"""Swarm's nouns: frozen data in the shape of the Docker Engine API, with no I/O.

A *spec* is the user's intent and is never touched by the system. Durations are integer nanoseconds, sizes bytes,
CPU shares nano-CPUs, as in the API; moments are aware UTC datetimes. Names follow SwarmKit: a replica is a *slot*,
its attempts are *tasks*.
"""
