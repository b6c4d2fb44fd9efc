"""The keys of `deploy`, of `build` and of the hooks of a service. Data only; `grammar_tables` has the rest."""

from __future__ import annotations

from hivelet.compose.grammar import (
    BOOLEAN,
    COMMAND,
    COUNT,
    DURATION,
    INTEGER,
    LIST_OR_MAP,
    MODE,
    NUMBER,
    SIZE,
    STRING,
    STRINGS,
    TEXT_VALUE,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Scalar,
    choice,
    differs,
    honoured,
    ignored,
)

NO_DEVICE_DRIVERS = "there are no device drivers here; name the device files under `devices`"


def _update(*actions: str) -> Fields:
    return Fields(
        honoured(
            parallelism=COUNT,
            delay=DURATION,
            failure_action=choice(*actions),
            monitor=DURATION,
            max_failure_ratio=NUMBER,
            order=choice("start-first", "stop-first"),
        )
    )


UPDATE = _update("continue", "rollback", "pause")

DEVICE_REQUEST = Fields(
    honoured(
        capabilities=STRINGS,
        count=Scalar(("string", "integer")),
        device_ids=STRINGS,
        driver=STRING,
        options=LIST_OR_MAP,
    )
)
GPUS = OneOf((choice("all"), ListOf(DEVICE_REQUEST)))

_CPUS = Scalar(("string", "number"), check="cpus")
_GENERIC = Fields(honoured(discrete_resource_spec=Fields(honoured(kind=STRING, value=INTEGER))))
RESOURCES = Fields(
    honoured(
        limits=Fields(honoured(cpus=_CPUS, memory=SIZE, pids=INTEGER)),
        reservations=Fields(
            {
                **honoured(cpus=_CPUS, memory=SIZE, generic_resources=ListOf(_GENERIC)),
                "devices": ignored(ListOf(DEVICE_REQUEST), NO_DEVICE_DRIVERS),
            }
        ),
    )
)

DEPLOY = Fields(
    {
        "mode": differs(
            choice("replicated", "global", "replicated-job", "global-job"),
            "a job that is deployed again unchanged does not run again; see [jobs](differences.md#jobs)",
        ),
        **honoured(endpoint_mode=choice("vip", "dnsrr"), replicas=COUNT),
        "labels": Key(
            LIST_OR_MAP,
            note="`com.hivelet.drain-timeout`, `com.hivelet.drain-idle`: see [drain](differences.md#drain); "
            "`com.hivelet.affinity`: see [affinity](differences.md#affinity)",
        ),
        **honoured(
            update_config=UPDATE,
            rollback_config=UPDATE,
            resources=RESOURCES,
        ),
        "restart_policy": Key(
            Fields(
                {
                    **honoured(condition=choice("none", "on-failure", "any")),
                    "delay": differs(DURATION, "see [restarts](differences.md#restarts)"),
                    **honoured(max_attempts=COUNT, window=DURATION),
                }
            )
        ),
        "placement": Key(
            Fields(
                honoured(
                    constraints=ListOf(STRING, unique=False),
                    preferences=ListOf(Fields(honoured(spread=STRING))),
                    max_replicas_per_node=COUNT,
                )
            )
        ),
    }
)

FILE_REFERENCE = OneOf(
    (
        STRING,
        Fields(
            honoured(source=STRING, target=STRING, uid=STRING, gid=STRING, mode=MODE), ("source",)
        ),
    )
)

ULIMITS = MapOf(OneOf((INTEGER, Fields(honoured(soft=INTEGER, hard=INTEGER), ("soft", "hard")))))

EXTRA_HOSTS = OneOf((MapOf(OneOf((TEXT_VALUE, STRINGS))), STRINGS))

_BUILDKIT = "it needs BuildKit, which builds nothing here"
_ONE_CACHE = "cached steps stay with the daemon"

BUILD = OneOf(
    (
        STRING,
        Fields(
            {
                **honoured(
                    context=STRING,
                    dockerfile=STRING,
                    dockerfile_inline=STRING,
                    args=LIST_OR_MAP,
                    labels=LIST_OR_MAP,
                ),
                "cache_from": differs(STRINGS, "steps of all builds are reused without it"),
                **honoured(
                    no_cache=BOOLEAN,
                    network=STRING,
                    pull=BOOLEAN,
                    target=STRING,
                    shm_size=SIZE,
                    extra_hosts=EXTRA_HOSTS,
                    tags=STRINGS,
                    ulimits=ULIMITS,
                ),
                "platforms": differs(STRINGS, "of several the first"),
                "additional_contexts": ignored(LIST_OR_MAP, "copy from a stage or an image"),
                "cache_to": ignored(STRINGS, _ONE_CACHE),
                "entitlements": ignored(STRINGS, _BUILDKIT),
                "isolation": ignored(STRING, "it is for Windows"),
                "no_cache_filter": ignored(OneOf((STRING, STRINGS)), "use `no_cache`"),
                "privileged": ignored(BOOLEAN, _BUILDKIT),
                "provenance": ignored(Scalar(("string", "boolean")), _BUILDKIT),
                "sbom": ignored(Scalar(("string", "boolean")), _BUILDKIT),
                "secrets": ignored(ListOf(FILE_REFERENCE), _BUILDKIT),
                "ssh": ignored(OneOf((STRING, LIST_OR_MAP)), _BUILDKIT),
            }
        ),
    )
)

HOOK = Fields(
    honoured(
        command=COMMAND,
        image=STRING,
        user=STRING,
        privileged=BOOLEAN,
        working_dir=STRING,
        environment=LIST_OR_MAP,
        per_replica=BOOLEAN,
    ),
    ("command",),
)

_WATCH = Fields(
    honoured(
        path=STRING,
        action=choice("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
        target=STRING,
        ignore=OneOf((STRING, STRINGS)),
        include=OneOf((STRING, STRINGS)),
        initial_sync=BOOLEAN,
        exec=HOOK,
    ),
    ("path", "action"),
)
DEVELOP = OneOf((Scalar(("null",)), Fields(honoured(watch=ListOf(_WATCH)))))
