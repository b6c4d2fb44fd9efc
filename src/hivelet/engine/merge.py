"""What a container is made of: the request laid over the image's config. Pure.

The rules are dockerd's (`daemon/commit.go` of moby, function `merge`): what the request says wins, maps are united,
an entrypoint of the request makes the image's command void.
"""

from __future__ import annotations

from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig, Healthcheck


def merge_config(request: ContainerConfig, image: ContainerConfig) -> ContainerConfig:
    """The effective config of a container.

    Raises:
        InvalidParameter: neither the request nor the image says what to run.
    """
    entrypoint, cmd = _program(request, image)
    if not entrypoint and not cmd:
        raise InvalidParameter(
            "No command specified: neither the image nor the request says what to run. "
            "Give a command, or an image whose CMD or ENTRYPOINT is set."
        )
    return request.replaced(
        user=request.user or image.user,
        exposed_ports=image.exposed_ports | request.exposed_ports,
        env=merge_env(request.env, image.env),
        labels=image.labels | request.labels,
        entrypoint=entrypoint,
        cmd=cmd,
        working_dir=request.working_dir or image.working_dir,
        volumes=image.volumes | request.volumes,
        stop_signal=request.stop_signal or image.stop_signal,
        healthcheck=merge_healthcheck(request.healthcheck, image.healthcheck),
        shell=request.shell or image.shell,
    )


def merge_env(request: list[str], image: list[str]) -> list[str]:
    """The request's environment, then the image's variables that the request does not name.

    A request's `NAME` without `=` removes the image's variable, as in Docker.
    """
    named = {entry.split("=", 1)[0] for entry in request}
    kept = [entry for entry in image if entry.split("=", 1)[0] not in named]
    return [entry for entry in request if "=" in entry] + kept


def merge_healthcheck(request: Healthcheck | None, image: Healthcheck | None) -> Healthcheck | None:
    """The request's health check, each field that it leaves open taken from the image's."""
    if request is None or image is None:
        return request or image
    return Healthcheck(
        test=request.test or image.test,
        interval=request.interval or image.interval,
        timeout=request.timeout or image.timeout,
        start_period=request.start_period or image.start_period,
        start_interval=request.start_interval or image.start_interval,
        retries=request.retries or image.retries,
    )


def _program(
    request: ContainerConfig, image: ContainerConfig
) -> tuple[list[str] | None, list[str] | None]:
    """Entrypoint and command. An entrypoint of `[""]` means "none, not even the image's"."""
    if request.entrypoint:
        entrypoint = None if request.entrypoint == [""] else request.entrypoint
        return entrypoint, request.cmd
    return image.entrypoint, request.cmd or image.cmd
