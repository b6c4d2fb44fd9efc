"""A network that is larger than a /24, with tasks on both sides of where one would end.

They are fewer than 250: so many use up the neighbours that the kernel keeps by default (`hivelet.network.neighbours`), for all
namespaces together, and only its first namespace can raise that.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface

from network_lab import backend, web_service

from hivelet.objects.endpoint import BridgeNetwork

LARGE = BridgeNetwork(
    id="large0000000000000000000",
    name="myapp_large",
    subnet="10.1.0.0/22",
    gateway="10.1.0.1",
)
VIP = "10.1.0.2"
FIRST, TASKS = 160, 200


async def test_a_network_grows_past_a_slash_24(lab):
    lab.plane.set_services(web_service(vips={LARGE.id: VIP}, vips6={}, aliases={}, ports=[]))
    names = [f"web{number:03}" for number in range(TASKS)]
    for name in names:
        place = FIRST + int(name[3:])
        await lab.task(name, (LARGE, f"10.1.{place // 256}.{place % 256}/22"))
    await asyncio.gather(*(lab.plane.admit(backend(lab.sandboxes[name], name)) for name in names))
    addresses = {ip_interface(lab.sandboxes[name].addresses[LARGE.id]).ip for name in names}
    assert len(addresses) == TASKS
    assert {address.packed[2] for address in addresses} == {0, 1}

    await lab.task("caller", (LARGE, "10.1.3.254/22"), serve=False)
    answers = await lab.count("caller", VIP, 80, times=2 * TASKS)
    assert answers == dict.fromkeys(names, 2)

    await lab.plane.withdraw("web180")
    answers = await lab.count("caller", VIP, 80, times=TASKS - 1)
    assert answers == dict.fromkeys(set(names) - {"web180"}, 1)
