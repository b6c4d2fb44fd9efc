"""Gives tasks their node: filters say which nodes can, spread says which of them should. Pure, save `loop`.

Writes: a task's `node_id` with its move PENDING → ASSIGNED, or the reason why there is no node for it yet, in SwarmKit's words.
"""
