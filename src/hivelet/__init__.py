"""hivelet: Docker Swarm's services on any Linux host, without Docker Engine.

The tree is the architecture; `docs/architecture.md` tells the way of a packet and the life of a task.
"""

__version__ = "0.1.0"
