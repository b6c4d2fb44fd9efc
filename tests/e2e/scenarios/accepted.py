"""Where hivelet does not do what Docker Swarm 20.10 was recorded to do in the scenarios, and why.

Each entry is a pattern for scenarios, one for paths of their records, and a pattern of what hivelet has there. docs/comparison.md
is made from this list; one that no longer occurs fails the test, as does a difference that is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from scenarios.compare import Difference


@dataclass(frozen=True)
class Accepted:
    """A difference on purpose."""

    scenario: str
    path: str
    hivelet: str
    reason: str

    def fits(self, difference: Difference) -> bool:
        """Whether it is this one."""
        return (
            fnmatchcase(difference.scenario, self.scenario)
            and fnmatchcase(difference.path, self.path)
            and fnmatchcase(str(difference.hivelet), self.hivelet)
        )


ACCEPTED = (
    Accepted(
        "*", "spec.TaskTemplate.Placement", "{}",
        "A placement is always shown: `docker service update --replicas-max-per-node` of docker's command line 28 writes into it without asking, and panics.",
    ),
    Accepted(
        "rollback_that_fails", "events.3", "*rollback_paused*",
        "A rollback whose tasks fail within the monitor period is not called completed.",
    ),
    Accepted(
        "rollback_that_fails", "update.*", "*paused*",
        "A rollback whose tasks fail within the monitor period is not called completed.",
    ),
    Accepted(
        "no_such_image", "slots.*", "*No such image: 127.0.0.1:1/nosuch:1 (*",
        "The error goes on with what the registry said, and what to do.",
    ),
    Accepted(
        "no_such_command", "slots.*", "*failed to create task for container: OCI runtime create failed: *nosuch*",
        "The words are those of Docker Engine 28, and the OCI runtime's own.",
    ),
    Accepted(
        "*", "slots.*", "*: dockerexec: unhealthy container (health check exited with 1*",
        "The error goes on with what the health check said last.",
    ),
    Accepted(
        "unhealthy_and_obedient", "slots.*", "shutdown/failed*unhealthy container*",
        "A task that was stopped because it was unhealthy has failed, whatever status its process ends with: else nothing would follow it under the restart condition on-failure.",
    ),
    Accepted(
        "too_many_cpus", "slots.*", "*",
        "A task that never had a node leaves no history behind.",
    ),
    Accepted(
        "constraint_met_later", "slots.1.0", "shutdown/shutdown*no longer meets constraints (node.labels.disk==fast)",
        "The state of a task that has a node is its agent's to write, so an evicted one is shut down instead of rejected; the error is Docker's, and names the constraint.",
    ),
    Accepted(
        "drained", "*", "*its node is drained*",
        "A task that had to leave its node says why.",
    ),
    Accepted(
        "refused_specs", "answers.[346]", "*: 400 *",
        "A mistake in a request is answered with 400, not with 500. The message is Docker's.",
    ),
    Accepted(
        "refused_specs", "answers.18", "*: 400 *mount path must be absolute",
        "A mount that no task could have is refused with the service; Docker Swarm takes it, and every task is rejected later.",
    ),
    Accepted(
        "refused_specs", "answers.19", "*: 400 *field Source must not be empty",
        "A mount that no task could have is refused with the service; Docker Swarm takes it, and every task is rejected later.",
    ),
    Accepted(
        "refused_specs", "answers.21", "*: 400 *source must be empty",
        "A mount that no task could have is refused with the service; Docker Swarm takes it, and every task is rejected later.",
    ),
    Accepted(
        "refused_specs", "answers.23", "*expanding env failed*",
        "A template that cannot be filled in is refused at once; Docker Swarm takes it, and every task is rejected later.",
    ),
    Accepted(
        "refused_targets", "answers.3", "*: 400 *plugin \"vault\" not found*",
        "A mistake in a request is answered with 400, not with 500. The message is Docker's, and goes on with the way out.",
    ),
    Accepted(
        "updated_while_paused", "events.1", "update updatestate.new=updating",
        "That a node which was paused gets the new spec is told as an update, and watched like one.",
    ),
    Accepted(
        "updated_while_paused", "update.*", "updat*",
        "That a node which was paused gets the new spec is told as an update, and watched like one.",
    ),
    Accepted(
        "refused_networks", "answers.5", "*400 a network needs a name",
        "Docker says that a network without a name exists already.",
    ),
    Accepted(
        "refused_networks", "answers.6", "*: hivelet has the drivers *",
        "The message goes on with which drivers there are.",
    ),
    Accepted(
        "refused_networks", "answers.7", "*: 404 network nosuch not found",
        "A network that is not there is answered with 404, not with 500. The message is Docker's.",
    ),
    Accepted(
        "refused_objects", "answers.*", "*: 400 *",
        "A mistake in a request is answered with 400, not with 500. The message is Docker's.",
    ),
)  # fmt: skip
