"""One node's Docker engine: containers, images, volumes, local networks, events.

Knows nothing of services and tasks; the agent asks it for containers as any other client would. Its state lives in
the engine's own database and never in the cluster store.
"""
