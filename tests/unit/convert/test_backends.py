import pytest

from hivelet.convert.backends import backend_state, encode_backends
from hivelet.objects.common import Annotations
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.task import NetworkAttachment, Task, TaskState, TaskStatus


def task(n=1, *, state="running", desired="running", message="started", **fields):
    return Task(
        id=f"t{n}",
        service_annotations=Annotations(name="web"),
        slot=n,
        node_id="n",
        status=TaskStatus(state=TaskState(state), message=message),
        desired_state=TaskState(desired),
        networks=[NetworkAttachment(network_id="net", addresses=[f"10.0.1.{n + 2}/24"])],
        **fields,
    )


@pytest.mark.parametrize(
    ("known", "admitted", "state"),
    [
        pytest.param(task(), True, "in", id="serving"),
        pytest.param(task(state="starting", message="starting"), False, "out", id="not-ready-yet"),
        pytest.param(task(desired="shutdown"), False, "draining", id="told-to-go"),
        pytest.param(
            task(message="draining: 2 connections"), False, "draining", id="stopped-by-hand"
        ),
    ],
)
def test_where_a_task_stands(known, admitted, state):
    assert backend_state(known, BackendTraffic(admitted=admitted)) == state


def test_only_running_containers_are_listed_by_slot():
    traffic = {
        "t2": BackendTraffic(admitted=True, busy=1, idle=4),
        "t1": BackendTraffic(admitted=False, busy=2),
    }
    leaving = task(1, desired="shutdown", message="draining: 2 connections")
    shown = encode_backends([task(3, state="failed"), task(2), leaving], traffic)
    assert shown == [
        {
            "TaskID": "t1",
            "Name": "web.1.t1",
            "NodeID": "n",
            "State": "draining",
            "Addresses": [{"NetworkID": "net", "Addr": "10.0.1.3/24"}],
            "Connections": {"Busy": 2, "Idle": 0},
            "Err": "draining: 2 connections",
        },
        {
            "TaskID": "t2",
            "Name": "web.2.t2",
            "NodeID": "n",
            "State": "in",
            "Addresses": [{"NetworkID": "net", "Addr": "10.0.1.4/24"}],
            "Connections": {"Busy": 1, "Idle": 4},
        },
    ]
