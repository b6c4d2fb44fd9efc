"""Plain containers, those of `docker run`: how a wish becomes a container, which ports it has, when it starts again.

Note the difference to a task's container: nobody but this node decides about a plain one, and its restart policy and its
published ports are the engine's own work.
"""
