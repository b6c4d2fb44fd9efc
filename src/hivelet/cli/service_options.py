"""The options of `service create` and `service update`, as the docker CLI has them. Tables only.

A *value* option sets one field; a *list* option is `--NAME` on create, `--NAME-add` and `--NAME-rm` on update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Option: TypeAlias = Callable[[Any], Any]

_COUNT = click.IntRange(min=0)
_CONDITIONS = click.Choice(["none", "on-failure", "any"])
_ORDERS = click.Choice(["start-first", "stop-first"])
_ENDPOINTS = click.Choice(["vip", "dnsrr"])
_MODES = click.Choice(["replicated", "global", "replicated-job", "global-job"])

_VALUES: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--replicas",), {"type": _COUNT, "help": "Number of tasks."}),
    (("--max-concurrent",), {"type": _COUNT, "help": "Job tasks to run at the same time."}),
    (("--entrypoint",), {"help": "Command instead of the image's entrypoint."}),
    (("--hostname",), {"help": "Host name of the containers."}),
    (("-w", "--workdir"), {"help": "Working directory."}),
    (("-u", "--user"), {"help": "User: NAME|UID[:GROUP|GID]."}),
    (("--init/--no-init",), {"default": None, "help": "Run a small init as the first process."}),
    (("-t/ ", "--tty/--no-tty"), {"default": None, "help": "Give the containers a terminal."}),
    (
        ("--read-only/--no-read-only",),
        {"default": None, "help": "Mount the root file system read-only."},
    ),
    (("--isolation",), {"help": "Isolation mode."}),
    (
        ("--oom-score-adj",),
        {"type": int, "help": "OOM preference of the containers (-1000 to 1000)."},
    ),
    (("--stop-signal",), {"help": "Signal to stop the containers with."}),
    (("--stop-grace-period",), {"help": "Time before a container is killed (10s)."}),
    (("--limit-cpu",), {"help": "CPUs at most."}),
    (("--limit-memory",), {"help": "Memory at most."}),
    (("--limit-pids",), {"type": _COUNT, "help": "Processes at most."}),
    (("--reserve-cpu",), {"help": "CPUs to keep free for each task."}),
    (("--reserve-memory",), {"help": "Memory to keep free for each task."}),
    (("--restart-condition",), {"type": _CONDITIONS, "help": "When a task is replaced."}),
    (
        ("--restart-delay",),
        {"help": "Time before a task is replaced; not given: at once, then with growing pauses."},
    ),
    (("--restart-max-attempts",), {"type": _COUNT, "help": "Attempts before giving up."}),
    (("--restart-window",), {"help": "Time in which attempts are counted."}),
    (
        ("--replicas-max-per-node",),
        {"type": _COUNT, "help": "Tasks on one node at most (0: no limit)."},
    ),
    (("--endpoint-mode",), {"type": _ENDPOINTS, "help": "vip or dnsrr."}),
    (("--health-cmd",), {"help": "Command that checks the health."}),
    (("--health-interval",), {"help": "Time between checks."}),
    (("--health-timeout",), {"help": "Time that a check may take."}),
    (("--health-retries",), {"type": _COUNT, "help": "Failures in a row that make it unhealthy."}),
    (("--health-start-period",), {"help": "Time in which failures do not count."}),
    (("--health-start-interval",), {"help": "Time between checks in that period."}),
    (
        ("--no-healthcheck",),
        {"is_flag": True, "default": None, "help": "Switch off the image's health check."},
    ),
    (("--log-driver",), {"help": "Log driver."}),
    *(
        entry
        for prefix, noun, actions in (
            ("update", "an update", ["pause", "continue", "rollback"]),
            ("rollback", "a rollback", ["pause", "continue"]),
        )
        for entry in (
            (
                (f"--{prefix}-parallelism",),
                {"type": _COUNT, "help": f"Tasks at a time in {noun} (0: all)."},
            ),
            ((f"--{prefix}-delay",), {"help": f"Pause between tasks in {noun}."}),
            ((f"--{prefix}-monitor",), {"help": f"Time in which a task is watched in {noun}."}),
            (
                (f"--{prefix}-failure-action",),
                {"type": click.Choice(actions), "help": f"What a failure of {noun} does."},
            ),
            (
                (f"--{prefix}-max-failure-ratio",),
                {"type": float, "help": f"Failures that {noun} tolerates."},
            ),
            (
                (f"--{prefix}-order",),
                {"type": _ORDERS, "help": f"Which task goes first in {noun}."},
            ),
        )
    ),
)

_LISTS: tuple[tuple[str, str, str], ...] = (
    ("env", "-e", "Environment variable NAME=VALUE."),
    ("label", "-l", "Label of the service."),
    ("container-label", "", "Label of the containers."),
    ("publish", "-p", "Port: PUBLISHED:TARGET[/PROTOCOL] or target=…,published=…,mode=…."),
    ("network", "", "Network: NAME or name=…,alias=…."),
    ("mount", "", "Mount: type=…,source=…,target=…."),
    ("secret", "", "Secret: NAME or source=…,target=…,mode=…."),
    ("config", "", "Config: NAME or source=…,target=…,mode=…."),
    ("constraint", "", "Placement constraint such as node.role==manager."),
    ("placement-pref", "", "Placement preference spread=LABEL."),
    ("host", "", "Entry of /etc/hosts: NAME:ADDRESS."),
    ("dns", "", "DNS server."),
    ("dns-search", "", "DNS search domain."),
    ("dns-option", "", "DNS option."),
    ("sysctl", "", "Kernel parameter NAME=VALUE."),
    ("ulimit", "", "Limit NAME=SOFT[:HARD]."),
    ("group", "", "Further group of the user."),
    ("generic-resource", "", "Resource of one's own kind: KIND=COUNT."),
)


def create_options(command: F) -> F:
    """All options of `service create`."""
    options = [
        click.option("--name", help="Name of the service."),
        click.option(
            "--mode", type=_MODES, help="replicated (default), global, replicated-job, global-job."
        ),
        click.option(
            "--env-file", "env_file", multiple=True, help="File with environment variables."
        ),
        click.option("--log-opt", multiple=True, help="Option of the log driver."),
        *_value_options(),
        *(
            _repeated((short, f"--{name}") if short else (f"--{name}",), name, text)
            for name, short, text in _LISTS
        ),
        *_capability_options(),
        *_behaviour_options(),
    ]
    return _decorate(command, options)


def update_options(command: F) -> F:
    """All options of `service update`."""
    options = [
        click.option("--image", help="Image."),
        click.option("--args", help="Arguments of the command."),
        click.option(
            "--force", is_flag=True, default=None, help="Replace all tasks even if nothing changed."
        ),
        click.option("--rollback", is_flag=True, help="Go back to the previous spec."),
        click.option("--log-opt", multiple=True, help="Option of the log driver."),
        *_value_options(),
        *(
            _repeated((f"--{name}-add",), name, f"Add or replace. {text}")
            for name, _, text in _LISTS
        ),
        *(_repeated((f"--{name}-rm",), f"{name}-rm", "Remove.") for name, _, _ in _LISTS),
        *_capability_options(),
        *_behaviour_options(),
    ]
    return _decorate(command, options)


def _value_options() -> list[Option]:
    return [click.option(*names, **settings) for names, settings in _VALUES]


def _capability_options() -> list[Option]:
    return [
        click.option("--cap-add", multiple=True, help="Linux capability to add."),
        click.option("--cap-drop", multiple=True, help="Linux capability to drop."),
    ]


def _behaviour_options() -> list[Option]:
    return [
        click.option(
            "-d/ ",
            "--detach/--no-detach",
            default=False,
            help="Do not wait until the service has converged.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
        click.option(
            "--timeout",
            default=None,
            help="Longest time to wait, such as 5m (no limit by default).",
        ),
        click.option(
            "--no-resolve-image",
            is_flag=True,
            help="Accepted for Docker's sake: images are resolved by the node.",
        ),
        click.option("--with-registry-auth", is_flag=True, help="Send registry credentials along."),
    ]


def _repeated(names: tuple[str, ...], parameter: str, text: str) -> Option:
    return click.option(*names, parameter.replace("-", "_"), multiple=True, help=text)


def _decorate(command: F, options: list[Option]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
