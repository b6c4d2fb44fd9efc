"""An update's progress, followed slot by slot, is the one that is read off all slots at once."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from hivelet.manager.orchestrator.progress import Progress
from hivelet.manager.orchestrator.slots import make_slot
from hivelet.objects.common import Meta, Version
from hivelet.objects.service import Service, ServiceSpec, UpdateConfig, UpdateStatus
from hivelet.objects.task import (
    ContainerSpec,
    RestartHistory,
    Task,
    TaskSpec,
    TaskState,
    TaskStatus,
)
from hivelet.testing.clock import EPOCH

NEW, OLD = (TaskSpec(container_spec=ContainerSpec(image=name)) for name in ("new", "old"))


def service(**config):
    return Service(
        id="s",
        spec=ServiceSpec(name="web", task_template=NEW, update_config=UpdateConfig(**config)),
        spec_version=Version(index=2),
        update_status=UpdateStatus(state="updating", started_at=EPOCH),
    )


def moment(seconds):
    return EPOCH + timedelta(seconds=seconds)


@st.composite
def task(draw, slot, age):
    new = draw(st.booleans())
    state = draw(st.sampled_from(["new", "assigned", "running", "complete", "failed", "shutdown"]))
    ran = draw(st.booleans()) or state == "running"
    return Task(
        id=f"{slot}.{age}",
        service_id="s",
        slot=slot,
        meta=Meta(created_at=moment(age if new else age - 100)),
        spec=NEW if new else OLD,
        spec_version=Version(index=2 if new else 1),
        status=TaskStatus(state=TaskState(state), timestamp=moment(draw(st.integers(5, 20)))),
        desired_state=TaskState(draw(st.sampled_from(["ready", "running", "shutdown", "remove"]))),
        started_at=moment(draw(st.integers(3, 10))) if ran else None,
        restarts=RestartHistory(total=draw(st.integers(0, 2))),
        made_by_update=EPOCH if new and draw(st.booleans()) else None,
    )


@st.composite
def changed_slot(draw):
    number = draw(st.integers(1, 4))
    tasks = [draw(task(number, age)) for age in range(draw(st.integers(0, 3)))]
    return make_slot(("s", str(number)), tasks)


def told(progress, now):
    return {
        "dirty": progress.dirty,
        "outdated": list(progress.outdated),
        "settled": list(progress.settled),
        "concerned": progress.concerned,
        "failures": progress.failures,
        "culprit": progress.culprit,
        "last start": progress.last_start,
        "busy": progress.busy(now),
    }


@given(
    st.lists(changed_slot(), max_size=12),
    st.sampled_from(["stop-first", "start-first"]),
    st.integers(0, 15),
)
def test_followed_is_measured(changes, order, seconds):
    on = service(order=order, delay=2 * 10**9)
    followed = Progress(on, [])
    slots = {}
    for slot in changes:
        followed.observe(slot)
        slots[slot.key] = slot
    measured = Progress(on, slots.values())
    assert told(followed, moment(seconds)) == told(measured, moment(seconds))


def test_outdated_slots_go_by_number_not_by_name():
    def old(number):
        made = Task(
            id=f"t{number}",
            service_id="s",
            slot=number,
            meta=Meta(created_at=moment(-1)),
            spec=OLD,
            spec_version=Version(index=1),
            desired_state=TaskState.RUNNING,
        )
        return make_slot(("s", str(number)), [made])

    progress = Progress(service(), [old(10), old(9), old(2)])
    assert [slot.number for slot in progress.outdated] == [2, 9, 10]
    assert progress.dirty == 3


def test_it_belongs_to_one_update_of_one_spec():
    on = service()
    progress = Progress(on, [])
    assert progress.is_of(on.replaced(meta=Meta(version=Version(index=7))))
    assert not progress.is_of(on.replaced(spec_version=Version(index=3)))
    assert not progress.is_of(on.replaced(update_status=UpdateStatus(state="rollback_started")))
