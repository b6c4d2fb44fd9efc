"""Gives networks their subnets, services their VIPs and published ports, tasks their addresses. Pure, save `loop`.

Writes: `Network.ipam`, `Service.endpoint`, a task's `networks` and `ports` with its move NEW → PENDING; deletes a network that
was removed by the user once no task is attached to it. What always holds: no two living things share an address or a port.
"""
