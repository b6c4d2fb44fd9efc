"""Templates in services: what SwarmKit fills in for each task (its package `template`). Pure.

In a service: host name, environment, and the sources, labels and driver options of mounts. In secrets and configs that were
created with the template driver `golang`: everything; there `env`, `secret` and `config` read the task's own environment and
files, the latter by their target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hivelet.errors import InvalidParameter
from hivelet.kit.gotemplate import Limits, Template
from hivelet.objects.common import Struct
from hivelet.objects.container import Mount
from hivelet.objects.node import Node
from hivelet.objects.task import ContainerSpec, Task

DRIVER = "golang"
"""The only template driver that Docker has for secrets and configs."""

Fields = dict[str, Any]


class TemplateContext(Struct, frozen=True, kw_only=True):
    """What a template may ask for: the fields of `{{.Service}}`, `{{.Node}}`, `{{.Task}}`, and the task's environment."""

    fields: dict[str, Any] = {}
    env: list[str] = []


def template_context(task: Task, node: Node, env: list[str] | None = None) -> TemplateContext:
    """What is known of a task. The slot of a global service's task is its node (SwarmKit)."""
    platform = node.description.platform
    fields = {
        "Service": {
            "ID": str(task.service_id),
            "Name": task.service_annotations.name,
            "Labels": dict(task.service_annotations.labels),
        },
        "Node": {
            "ID": str(node.id),
            "Hostname": node.description.hostname,
            "Platform": {"Architecture": platform.architecture, "OS": platform.os},
        },
        "Task": {
            "ID": str(task.id),
            "Name": task.name,
            "Slot": str(task.slot or node.id),
        },
    }
    return TemplateContext(fields=fields, env=env or [])


def expand_container(spec: ContainerSpec, context: TemplateContext) -> ContainerSpec:
    """The spec with its templates filled in; the very same one where there are none.

    Raises:
        InvalidParameter: names the field, and what of its template can't be filled in.
    """
    fields = context.fields
    if not _is_template(spec.hostname, *spec.env, *map(str, spec.mounts)):
        return spec
    return spec.replaced(
        hostname=_expand("hostname", spec.hostname, fields),
        env=[_expand("env", entry, fields) for entry in spec.env],
        mounts=[_expand_mount(mount, fields) for mount in spec.mounts],
    )


def expand_payload(
    name: str, text: str, context: TemplateContext, files: Mapping[str, Callable[[str], str]]
) -> str:
    """The contents of a secret or config. `files` are the functions `secret` and `config`: from a target to what lies there.

    Raises:
        InvalidParameter: names the secret or config, and what of its template can't be filled in.
    """
    environment = dict(entry.partition("=")[::2] for entry in context.env)

    def env(variable: str) -> str:
        return environment.get(variable, "")

    return _expand(name, text, context.fields, {"env": env, **files})


def _expand_mount(mount: Mount, fields: Fields) -> Mount:
    source = _expand("mount source", mount.source, fields)
    target = mount.target
    options = mount.volume_options
    if options is not None:
        labels = {
            key: _expand(f"label {key} of the mount {target}", value, fields)
            for key, value in options.labels.items()
        }
        driver = options.driver_config
        if driver is not None:
            driver = driver.replaced(
                options={
                    key: _expand(f"driver option {key} of the mount {target}", value, fields)
                    for key, value in driver.options.items()
                }
            )
        options = options.replaced(labels=labels, driver_config=driver)
    return mount.replaced(source=source, volume_options=options)


def _expand(
    what: str, text: str, fields: Fields, functions: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    if not _is_template(text):
        return text
    try:
        template = Template(
            text, {"join": _join, **(functions or {})}, strict=True, limits=Limits()
        )
        return template.render(fields)
    except InvalidParameter as error:
        raise InvalidParameter(f"expanding {what} failed: {error.message}") from error


def _join(separator: str, *parts: str) -> str:
    """SwarmKit's own, the other way round than the command line's."""
    return separator.join(parts)


def _is_template(*texts: str) -> bool:
    return any("{{" in text for text in texts)
