"""The container-style `restart` of a service, which stands in for `deploy.restart_policy`. Pure."""

from __future__ import annotations

from hivelet.objects.task import RestartPolicy

_CONDITIONS = {"always": "any", "unless-stopped": "any", "on-failure": "on-failure"}


def parse_restart(text: str) -> RestartPolicy | None:
    """The policy that `text` stands for; None for `no`, as the docker CLI has it.

    Raises:
        ValueError: it is none of no, always, unless-stopped, on-failure and on-failure:COUNT.
    """
    name, colon, count = text.partition(":")
    if name in {"no", ""} and not colon:
        return None
    if name not in _CONDITIONS or (colon and name != "on-failure"):
        raise ValueError(
            f'"{text}" is not one of no, always, unless-stopped, on-failure and on-failure:COUNT'
        )
    if colon and not count.isdecimal():
        raise ValueError(f'"{text}": the number of attempts must be a whole number')
    attempts = int(count) if colon else 0
    limited = name == "on-failure"
    return RestartPolicy(condition=_CONDITIONS[name], max_attempts=attempts if limited else None)
