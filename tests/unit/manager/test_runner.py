"""Turning a loop: what is decided again, and when. Virtual time."""

import asyncio

import pytest
import structlog

from hivelet.manager.runner import Decisions, Runner
from hivelet.objects.plan import NOTHING
from hivelet.objects.service import Service, ServiceSpec
from hivelet.objects.transitions import Actor
from hivelet.store import Store
from hivelet.store.journal import MemoryJournal
from hivelet.testing.virtual_time import VirtualClock, run_virtual


class Loop:
    """Keys are names of services; `bad` ones meet an error."""

    def __init__(self, clock):
        self.clock = clock
        self.bad = {}
        self.decided = []
        self.rebuilt = 0

    def everything(self, view):
        self.rebuilt += 1
        return [service.spec.name for service in view.all(Service)]

    def touched(self, view, event):
        return (event.obj.spec.name,)

    def decide(self, view, key, now):
        self.decided.append((key, self.clock.now()))
        if error := self.bad.get(key):
            raise error
        return NOTHING

    def moments(self, key):
        first = self.decided[0][1]
        return [(at - first).total_seconds() for name, at in self.decided if name == key]


def played(story):
    async def play():
        structlog.configure(processors=[drop], cache_logger_on_first_use=False)
        clock = VirtualClock()
        store = Store(clock, MemoryJournal())
        await store.open()
        loop = Loop(clock)
        decisions = Decisions(
            name="test",
            actor=Actor.ORCHESTRATOR,
            kinds=(Service,),
            touched=loop.touched,
            everything=loop.everything,
            decide=loop.decide,
            about=lambda key: {"key": str(key)},
        )
        background = asyncio.get_running_loop().create_task(Runner(store, decisions).run())
        try:
            await story(loop, store)
            assert not background.done()
        finally:
            background.cancel()
            structlog.reset_defaults()

    run_virtual(play())


def drop(*_):
    raise structlog.DropEvent


async def touch(store, name):
    await store.update(
        lambda tx: tx.create(Service(id="", spec=ServiceSpec(name=name))), Actor.USER
    )


def test_a_key_that_fails_is_tried_again_after_growing_moments_and_the_others_go_on():
    async def story(loop, store):
        loop.bad["bad"] = OverflowError("date value out of range")
        await touch(store, "bad")
        await touch(store, "good")
        await asyncio.sleep(64)
        waits = loop.moments("bad")
        assert waits == [pytest.approx(moment, abs=0.1) for moment in (0, 1, 3, 7, 15, 31, 63)]
        assert loop.moments("good")
        # What the loop remembers is derived anew, as the decision may have changed half of it.
        assert loop.rebuilt == 1 + len(waits)

    played(story)


def test_events_of_a_key_that_failed_do_not_hurry_it():
    async def story(loop, store):
        loop.bad["bad"] = ValueError("x")
        await touch(store, "bad")
        await asyncio.sleep(0.01)
        bad = store.view(lambda view: view.by_name(Service, "bad"))
        for number in range(20):
            bad = await store.update(
                lambda tx, b=bad, n=number: tx.update(
                    b.replaced(spec=b.spec.replaced(labels={"n": str(n)}))
                ),
                Actor.USER,
            )
        assert len(loop.moments("bad")) == 1
        loop.bad.clear()
        await asyncio.sleep(1.1)
        assert len(loop.moments("bad")) == 2

    played(story)


def test_success_forgets_the_failures():
    async def story(loop, store):
        loop.bad["bad"] = ValueError("x")
        await touch(store, "bad")
        await asyncio.sleep(3.5)
        loop.bad.clear()
        await asyncio.sleep(4)
        loop.bad["bad"] = ValueError("y")
        before = len(loop.moments("bad"))
        await touch(store, "other")
        bad = store.view(lambda view: view.by_name(Service, "bad"))
        await store.update(lambda tx: tx.update(bad.replaced(pending_delete=True)), Actor.USER)
        await asyncio.sleep(1.1)
        assert len(loop.moments("bad")) == before + 2

    played(story)
