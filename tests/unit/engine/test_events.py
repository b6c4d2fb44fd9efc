import asyncio
from datetime import UTC, datetime

from hivelet.engine.events import BACKLOG, HISTORY, EventBus
from hivelet.kit.clock import LoopClock

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


async def test_listeners_hear_what_happens_after_they_came():
    bus = EventBus(LoopClock(EPOCH))
    bus.publish("container", "create", "before")
    with bus.listen() as events:
        bus.publish("container", "start", "after", {"name": "web"})
        event = await asyncio.wait_for(anext(events), 1)
    assert (event.action, event.actor_id, event.attributes) == ("start", "after", {"name": "web"})
    assert [e.actor_id for e in bus.past(EPOCH)] == ["before", "after"]


async def test_a_listener_that_never_reads_holds_nobody_up_and_loses_the_oldest():
    bus = EventBus(LoopClock(EPOCH))
    with bus.listen() as events:
        for number in range(BACKLOG + 10):
            bus.publish("container", "start", str(number))
        assert (await anext(events)).actor_id == "10"
    assert len(bus.past(EPOCH)) == HISTORY
