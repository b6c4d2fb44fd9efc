"""A job's progress, followed slot by slot, is the one that is read off all slots at once."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from hivelet.manager.orchestrator.job_progress import JobProgress
from hivelet.manager.orchestrator.slots import make_slot
from hivelet.objects.common import Version
from hivelet.objects.service import JobStatus, ReplicatedJobMode, Service, ServiceMode, ServiceSpec
from hivelet.objects.task import RestartPolicy, Task, TaskSpec, TaskState, TaskStatus
from hivelet.testing.clock import EPOCH

JOB = Service(
    id="s",
    spec=ServiceSpec(
        name="job",
        mode=ServiceMode(replicated_job=ReplicatedJobMode(max_concurrent=2, total_completions=4)),
    ),
    job_status=JobStatus(job_iteration=Version(index=7)),
)


def make_task(number, state, desired="complete", iteration=7, condition="any"):
    return Task(
        id=f"{number}.{state}",
        service_id="s",
        slot=number,
        spec=TaskSpec(restart_policy=RestartPolicy(condition=condition)),
        status=TaskStatus(state=TaskState(state), timestamp=EPOCH),
        desired_state=TaskState(desired),
        job_iteration=Version(index=iteration),
    )


def slot(number, *tasks):
    return make_slot(("s", str(number)), tasks)


def told(progress):
    return {
        "running": progress.running,
        "untried": [(slot.key, slot.tasks) for slot in progress.untried],
        "outdated": progress.outdated,
        "finished": progress.finished,
    }


tasks = st.builds(
    make_task,
    st.just(0),
    st.sampled_from(["new", "running", "complete", "failed", "orphaned"]),
    st.sampled_from(["ready", "complete", "shutdown", "remove"]),
    st.sampled_from([6, 7]),
    st.sampled_from(["any", "none"]),
)


@given(st.lists(st.tuples(st.integers(1, 5), st.lists(tasks, max_size=2)), max_size=12))
def test_followed_is_measured(changes):
    followed = JobProgress(JOB, [])
    slots = {}
    for number, listed in changes:
        slots[number] = slot(number, *(task.replaced(slot=number) for task in listed))
        followed.observe(slots[number])
    assert told(followed) == told(JobProgress(JOB, slots.values()))


def test_what_holds_a_place_and_what_was_never_tried():
    progress = JobProgress(
        JOB,
        [
            slot(1, make_task(1, "running")),
            slot(2, make_task(2, "complete")),
            slot(3, make_task(3, "failed", condition="none")),
            slot(4, make_task(4, "running", iteration=6)),
        ],
    )
    assert progress.running == 1
    assert [slot.number for slot in progress.untried] == [4]
    assert list(progress.outdated) == [("s", "4")]
    assert not progress.finished


def test_a_failure_that_is_tried_again_keeps_its_place():
    assert JobProgress(JOB, [slot(1, make_task(1, "failed"))]).running == 1


def test_finished_when_each_slot_has_completed_or_given_up():
    ended = [slot(n, make_task(n, "complete")) for n in (1, 2, 3)]
    given_up = slot(4, make_task(4, "failed", desired="shutdown"))
    assert JobProgress(JOB, [*ended, given_up]).finished
    assert not JobProgress(JOB, ended).finished


def test_a_job_of_a_million_completions_is_not_counted_out():
    mode = ReplicatedJobMode(max_concurrent=2, total_completions=10**15)
    vast = JOB.replaced(spec=JOB.spec.replaced(mode=ServiceMode(replicated_job=mode)))
    progress = JobProgress(
        vast, [slot(1, make_task(1, "complete")), slot(3, make_task(3, "complete"))]
    )
    assert [int(each.key[1]) for each in islice(progress.untried, 3)] == [2, 4, 5]
    assert not progress.finished


def test_it_belongs_to_one_iteration():
    progress = JobProgress(JOB, [])
    assert progress.is_of(JOB)
    again = JobStatus(job_iteration=Version(index=8))
    assert not progress.is_of(JOB.replaced(job_status=again))
