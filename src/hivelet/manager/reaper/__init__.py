"""Forgets tasks: history beyond the limit, and all of what was removed. Pure, save `loop`.

Deletes tasks that are down or never reached a node, and nothing else. A deleted task's container is then removed by its agent.
"""
