from hivelet.metrics.node import NodeFacts, node_families
from hivelet.metrics.swarm import UPDATE_STATES, swarm_families
from hivelet.objects.common import Annotations, ServiceId, TaskId
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.service import ReplicatedMode, Service, ServiceMode, ServiceSpec, UpdateStatus
from hivelet.objects.task import Task
from hivelet.store.tables import new_tables
from hivelet.store.view import View


def samples(families):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def make_service(name, replicas, state="", *, doomed=False):
    return Service(
        id=ServiceId(name),
        spec=ServiceSpec(name=name, mode=ServiceMode(replicated=ReplicatedMode(replicas=replicas))),
        update_status=UpdateStatus(state=state) if state else None,
        pending_delete=doomed,
    )


def test_services():
    tables = new_tables()
    for service in (
        make_service("web", 3, "paused"),
        make_service("db", 1),
        make_service("gone", 2, doomed=True),
    ):
        tables[Service].put(service)
    seen = samples(swarm_families(View(tables)))
    assert seen["hivelet_service_tasks_desired", "web"] == 3
    assert seen["hivelet_service_tasks_running", "web"] == 0
    assert [seen["hivelet_service_update_state", *sorted(("web", s))] for s in UPDATE_STATES] == [
        0,
        1,
        0,
        0,
        0,
        0,
    ]
    assert not [key for key in seen if "gone" in key]
    assert ("hivelet_service_update_state", "db", "paused") not in seen


def test_a_slot_is_one_series_whatever_tasks_it_has():
    tasks = [
        Task(
            id=TaskId(name),
            service_id=ServiceId("s"),
            service_annotations=Annotations(name="web"),
            slot=1,
        )
        for name in ("old", "new", "unseen")
    ]
    facts = NodeFacts(
        version="1",
        traffic={
            TaskId("old"): BackendTraffic(admitted=False, busy=2, idle=1),
            TaskId("new"): BackendTraffic(admitted=True, busy=1, idle=0),
        },
    )
    seen = samples(node_families(facts, tasks))
    assert seen["hivelet_backend_admitted", "1", "web"] == 1
    assert seen["hivelet_backend_connections", "1", "busy", "web"] == 3
    assert seen["hivelet_backend_connections", "1", "idle", "web"] == 1
    assert len([key for key in seen if key[0] == "hivelet_backend_connections"]) == 2


def test_a_locked_swarm_is_told_though_its_services_are_not():
    assert samples(swarm_families(View(new_tables())))["hivelet_swarm_locked",] == 0
    assert samples(swarm_families(View(new_tables(), locked=True)))["hivelet_swarm_locked",] == 1
