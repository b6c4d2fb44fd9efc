import pytest

from hivelet.convert.service import count_tasks, encode_service, encode_spec, parse_service_spec
from hivelet.errors import InvalidParameter
from hivelet.objects.common import Version
from hivelet.objects.service import (
    GlobalMode,
    JobStatus,
    ReplicatedJobMode,
    ReplicatedMode,
    ServiceMode,
    ServiceSpec,
)
from hivelet.objects.task import TaskState
from hivelet.testing.sample import SERVICE, make_task, make_world


def test_what_docker_spells_out_is_spelled_out():
    spec = parse_service_spec(
        {
            "Name": "web",
            "TaskTemplate": {
                "ContainerSpec": {"Image": "a", "Isolation": "default"},
                "RestartPolicy": {"Delay": 5},
                "Resources": {},
                "Placement": {"Constraints": []},
                "Runtime": "container",
            },
            "UpdateConfig": {"Parallelism": 2},
            "EndpointSpec": {"Ports": [{"TargetPort": 80}]},
        }
    )
    assert spec.mode == ServiceMode(replicated=ReplicatedMode(replicas=1))
    template = spec.task_template
    assert (template.runtime, template.resources, template.placement) == ("", None, None)
    assert template.container_spec.isolation == ""
    assert template.restart_policy.condition == "any"
    assert (template.restart_policy.delay, template.restart_policy.max_attempts) == (5, 0)
    assert (spec.update_config.order, spec.update_config.failure_action) == ("stop-first", "pause")
    assert spec.endpoint_spec.mode == "vip"
    assert spec.endpoint_spec.ports[0].protocol == "tcp"


def test_no_monitor_period_is_dockers():
    spec = parse_service_spec(
        {"TaskTemplate": {"ContainerSpec": {}}, "UpdateConfig": {"Monitor": 0}}
    )
    assert spec.update_config.monitor is None


def test_a_spec_that_goes_out_and_comes_back_is_the_same():
    swarm, _ = make_world()
    spec = parse_service_spec(encode_spec(swarm.services[SERVICE].spec))
    assert parse_service_spec(encode_spec(spec)) == spec


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"Mode": {"Replicated": {"Replicas": -1}}}, "number -1 into .*Replicas of type uint64"),
        ({"Mode": {"Replicated": {}, "Global": {}}}, "only one service mode"),
        ({"TaskTemplate": {"RestartPolicy": {"Condition": "x"}}}, 'invalid RestartCondition: "x"'),
        ({"TaskTemplate": {"RestartPolicy": {"MaxAttempts": -1}}}, "MaxAttempts of type uint64"),
        ({"UpdateConfig": {"Order": "x"}}, "unrecognized update order x"),
        ({"UpdateConfig": {"FailureAction": "x"}}, "unrecognized update failure action x"),
        ({"RollbackConfig": {"FailureAction": "x"}}, "unrecognized rollback failure action x"),
        (
            {"TaskTemplate": {"ContainerSpec": {"Configs": [{"File": {}, "Runtime": {}}]}}},
            "invalid Config: cannot specify both File and Runtime",
        ),
        (
            {"TaskTemplate": {"ContainerSpec": {"Configs": [{}]}}},
            "invalid Config: either File or Runtime should be set",
        ),
        ({"EndpointSpec": {"Mode": "x"}}, "invalid resolution mode"),
        ({"Mode": {"ReplicatedJob": {"TotalCompletions": -1}}}, "TotalCompletions of type uint64"),
    ],
)
def test_bad_specs_are_refused(part, message):
    with pytest.raises(InvalidParameter, match=message):
        parse_service_spec({"Name": "web", **part})


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param({}, (1, 1), id="no-number"),
        pytest.param({"MaxConcurrent": 3}, (3, 3), id="as-many-as-at-a-time"),
        pytest.param({"TotalCompletions": 5}, (1, 5), id="one-at-a-time"),
        pytest.param({"MaxConcurrent": 0}, (0, 0), id="none-at-a-time"),
        pytest.param({"MaxConcurrent": 0, "TotalCompletions": 3}, (0, 3), id="held"),
        pytest.param({"TotalCompletions": 0}, (1, 0), id="nothing-to-do"),
    ],
)
def test_the_numbers_of_a_job_are_spelled_out(given, stored):
    """As dockerd stores them: the docker CLI follows both pointers without asking."""
    template = {"ContainerSpec": {"Image": "i"}}
    spec = parse_service_spec({"TaskTemplate": template, "Mode": {"ReplicatedJob": given}})
    job = spec.mode.replicated_job
    assert (job.max_concurrent, job.total_completions) == stored
    assert (job.concurrency, job.completions) == stored


def test_a_job_that_was_stored_without_numbers_is_shown_with_them():
    spec = ServiceSpec(mode=ServiceMode(replicated_job=ReplicatedJobMode()))
    assert encode_spec(spec)["Mode"] == {
        "ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}
    }


def test_a_service_without_an_endpoint_shows_an_empty_one():
    swarm, _ = make_world()
    service = swarm.services[SERVICE].replaced(endpoint=None)
    assert encode_service(service)["Endpoint"] == {"Spec": {}}


RUN, DONE, SHUT = TaskState.RUNNING, TaskState.COMPLETE, TaskState.SHUTDOWN


@pytest.mark.parametrize(
    ("mode", "states", "expected"),
    [
        (ServiceMode(replicated=ReplicatedMode(replicas=5)), [(RUN, RUN), (SHUT, SHUT)], (1, 5, 0)),
        (ServiceMode(global_=GlobalMode()), [(RUN, RUN), (SHUT, SHUT)], (1, 1, 0)),
        (
            ServiceMode(replicated_job=ReplicatedJobMode(max_concurrent=3, total_completions=9)),
            [(RUN, DONE), (DONE, DONE)],
            (1, 3, 1),
        ),
    ],
    ids=["replicated", "global", "job"],
)
def test_counts(mode, states, expected):
    swarm, _ = make_world()
    service = swarm.services[SERVICE]
    job = JobStatus(job_iteration=Version(index=1)) if mode.replicated_job else None
    service = service.replaced(spec=service.spec.replaced(mode=mode), job_status=job)
    tasks = [
        make_task(slot, state).replaced(
            desired_state=desired, job_iteration=job.job_iteration if job else None
        )
        for slot, (state, desired) in enumerate(states, 1)
    ]
    if job:
        tasks.append(make_task(1, DONE).replaced(job_iteration=Version(index=0)))
    counts = count_tasks([service], tasks)[SERVICE]
    assert (counts.running, counts.desired, counts.completed) == expected
