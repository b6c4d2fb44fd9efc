"""A container's life, one module per part of it.

`living` (what can be done to one as it is) ← `watching` (from its start to its end) ← `starting`, `stopping` ←
`lifecycle` (all of it, and adoption after a restart of the daemon).
"""
