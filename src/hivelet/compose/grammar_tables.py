"""The keys of a stack file as a whole: its sections, networks, volumes, secrets, configs. Data only.

It is what `docker stack` reads (compose 3.0 to 3.13), whatever `version` the file states, and the keys of today's Compose
Specification beyond that, so that none is dropped in silence. One table for each section; `FILE` is the whole.
"""

from __future__ import annotations

from hivelet.compose.grammar import (
    BOOLEAN,
    INTEGER,
    LIST_OR_MAP,
    NULL,
    OPTIONS,
    PATH,
    STRING,
    STRINGS,
    Fields,
    Key,
    ListOf,
    MapOf,
    OneOf,
    Scalar,
    differs,
    honoured,
    ignored,
    kept,
)
from hivelet.compose.grammar_service import SERVICE

_EXTERNAL = OneOf((BOOLEAN, Fields(honoured(name=STRING))))

_IPAM = Fields(
    {
        "driver": differs(STRING, "`default` only"),
        "config": differs(
            ListOf(
                Fields(
                    honoured(
                        subnet=STRING, gateway=STRING, ip_range=STRING, aux_addresses=MapOf(STRING)
                    )
                )
            ),
            "one subnet of each family",
        ),
        "options": kept(OPTIONS, "the `default` driver has none"),
    }
)

NETWORK = Fields(
    {
        **honoured(name=STRING),
        "driver": differs(
            STRING, "`overlay` only; with another the network is made, and its services are refused"
        ),
        "driver_opts": differs(
            OPTIONS, "`com.docker.network.driver.mtu`, `com.docker.network.bridge.enable_icc` only"
        ),
        **honoured(
            external=_EXTERNAL,
            internal=BOOLEAN,
            attachable=BOOLEAN,
            labels=LIST_OR_MAP,
            enable_ipv6=BOOLEAN,
        ),
        "enable_ipv4": ignored(BOOLEAN, "IPv4 is always on"),
        "ipam": Key(_IPAM),
    }
)

VOLUME = Fields(
    {
        **honoured(name=STRING),
        "driver": differs(STRING, "`local` only; another is refused"),
        "driver_opts": differs(
            OPTIONS,
            "`type`, `device` and `o` of the driver `local`; see [volumes](differences.md#volumes)",
        ),
        **honoured(external=_EXTERNAL, labels=LIST_OR_MAP),
    }
)

_FILE_OBJECT = {
    **honoured(name=STRING, file=PATH, environment=STRING, external=_EXTERNAL, labels=LIST_OR_MAP),
    "template_driver": Key(STRING, note="`golang`"),
}
SECRET = Fields(
    {
        **_FILE_OBJECT,
        "content": Key(STRING, note="the specification has it for `configs` alone"),
        "driver": differs(STRING, "refused by hivelet's daemon, which has no drivers of secrets"),
        "driver_opts": differs(OPTIONS, "of `driver`"),
    }
)
CONFIG = Fields({**_FILE_OBJECT, **honoured(content=STRING)})

MODEL = Fields(
    honoured(model=STRING, name=STRING, context_size=INTEGER, runtime_flags=STRINGS), ("model",)
)

_PATHS = OneOf((PATH, ListOf(PATH)))
INCLUDE = OneOf(
    (PATH, Fields(honoured(path=_PATHS, env_file=_PATHS, project_directory=PATH), ("path",)))
)

FILE = Fields(
    {
        "version": Key(STRING, note="`3` to `3.13`, or left out; any other is refused"),
        "name": Key(
            Scalar(("string",), check="name"), note="where the command line names no stack"
        ),
        "include": Key(ListOf(INCLUDE)),
        "services": Key(OneOf((NULL, MapOf(SERVICE, names=True)))),
        "networks": Key(OneOf((NULL, MapOf(OneOf((NULL, NETWORK)), names=True)))),
        "volumes": Key(OneOf((NULL, MapOf(OneOf((NULL, VOLUME)), names=True)))),
        "secrets": Key(OneOf((NULL, MapOf(SECRET, names=True)))),
        "configs": Key(OneOf((NULL, MapOf(CONFIG, names=True)))),
        "models": ignored(
            OneOf((NULL, MapOf(MODEL, names=True))),
            "models are not run here; give its address in `environment`",
        ),
    }
)
