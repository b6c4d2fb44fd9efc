"""The manager's side of agents: sessions, assignments, statuses, heartbeats.

Writes: a node's `description` and `status`, and for agents a task's `status` past ASSIGNED. What always holds: an agent is never
given a task that a crash of the manager could forget, and a status never moves a task backwards.

`assignments` what a node must know, and the change since it was told (pure) · `heartbeat` who has been silent for too long (pure) ·
`sessions` one agent's stream · `loop` the Dispatcher itself.
"""
