"""A deploy from its plan to its end: asking, doing, waiting, tidying up; and what is said where it is cut short.

Asked is only where a person sits at a terminal and something is removed or restarted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import click

from hivelet.cli.deploy.apply import NETWORK_PATIENCE, Application
from hivelet.cli.deploy.plan import Plan, restarted
from hivelet.cli.deploy.show import painted, plan_lines
from hivelet.cli.interruption import Interruption
from hivelet.cli.progress import make_reporter, wait_for_services
from hivelet.cli.session import Session, complain, say, warn
from hivelet.errors import HiveletError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOptions:
    """How a plan is carried out."""

    detach: bool = False
    quiet: bool = False
    yes: bool = False
    timeout: float | None = None


def deploy(
    session: Session, plan: Plan, registry_auth: Mapping[str, str], options: DeployOptions
) -> int:
    """Carry out a plan; the answer is the exit code.

    Raises:
        HiveletError: the daemon refused, or a service has not converged; KeyboardInterrupt: a signal ended it.
    """
    for warning in plan.warnings:
        warn(warning)
    if not options.quiet:
        for line in plan_lines(plan):
            say(painted(line))
    if not _agreed(session, plan, options):
        complain("nothing has been changed")
        return 1
    application = Application(session, plan, registry_auth)
    interruption = Interruption()
    with interruption.watching():
        try:
            application.run(interruption)
        except (HiveletError, KeyboardInterrupt) as error:
            _tell_how_far(plan, application, stopped=isinstance(error, KeyboardInterrupt))
            raise
        if not options.detach:
            _wait(session, application, options)
        patience = 0.0 if options.detach else NETWORK_PATIENCE
        for left in application.finish(interruption, patience=patience):
            warn(left)
    return 0


def _agreed(session: Session, plan: Plan, options: DeployOptions) -> bool:
    if options.yes or not plan.disruptive or not (session.interactive and sys.stdin.isatty()):
        return True
    tasks, removed = restarted(plan.steps), len(plan.of("remove"))
    what = [f"remove {removed} object{'s' if removed > 1 else ''}"] if removed else []
    what += [f"restart {tasks} task{'s' if tasks > 1 else ''}"] if tasks else []
    stops = sum(step.stops for step in plan.steps if step.action == "update")
    what += [f"stop {stops} task{'s' if stops > 1 else ''}"] if stops else []
    return click.confirm(f"Go on and {' and '.join(what) or 'do this'}?", default=False)


def _wait(session: Session, application: Application, options: DeployOptions) -> None:
    reporter = make_reporter(session, quiet=options.quiet, several=True)
    wait_for_services(
        session,
        application.services,
        reporter,
        timeout=options.timeout,
        settled=application.settled,
    )


def _tell_how_far(plan: Plan, application: Application, *, stopped: bool) -> None:
    """What has been done of a plan that did not come to its end."""
    if not plan.changes or (not application.done and not stopped):
        return
    click.echo(
        f"{'Interrupted: ' if stopped else ''}{len(application.done)} of {len(plan.changes)} steps of the plan are done, "
        f"each of them whole; deploying again goes on from there, `hivelet stack ps {plan.stack}` shows its tasks.",
        err=True,
    )
