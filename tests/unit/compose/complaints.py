"""Every message of the loader, whole, with the file that brings it about; tables for the tests beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def service(*lines: str) -> str:
    return "services:\n  web:\n    image: x\n" + "".join(f"    {line}\n" for line in lines)


PROBLEMS = {
    "typo": (service("delopy:", "  replicas: 5"), 'f.yml:4:5: services.web.delopy: unknown key "delopy"; did you mean "deploy"?'),
    "misplaced-down": (service("replicas: 3"), 'f.yml:4:5: services.web.replicas: unknown key "replicas"; it belongs under `deploy`'),
    "misplaced-up": (
        service("services: {}"),
        'f.yml:4:5: services.web.services: unknown key "services"; it belongs at the top level of the file',
    ),
    "unknown-at-top": ("servics: {}\nservices:\n  a: {image: x}\n", 'f.yml:1:1: servics: unknown key "servics"; did you mean "services"?'),
    "nothing-like-it": (service("zzz: 1"), 'f.yml:4:5: services.web.zzz: unknown key "zzz"'),
    "deep": (
        service("deploy:", "  resources:", "    limits: {memry: 1g}"),
        'f.yml:6:18: services.web.deploy.resources.limits.memry: unknown key "memry"; did you mean "memory"?',
    ),
    "replicas-text": (service("deploy: {replicas: three}"), 'f.yml:4:14: services.web.deploy.replicas: must be an integer, and is a string ("three")'),
    "replicas-negative": (service("deploy: {replicas: -1}"), "f.yml:4:14: services.web.deploy.replicas: must be 0 or more, and is -1"),
    "replicas-half": (service("deploy: {replicas: 2.5}"), "f.yml:4:14: services.web.deploy.replicas: must be an integer, and is a number (2.5)"),
    "list-in-environment": (
        service("environment:", "  DEBUG: [true]"),
        "f.yml:5:7: services.web.environment.DEBUG: must be a string, a number, a boolean or empty, and is a list",
    ),
    "number-for-text": (service("hostname: 5"), 'f.yml:4:5: services.web.hostname: must be a string, and is an integer (5); put it in quotes: "5"'),
    "maybe": (service("tty: maybe"), 'f.yml:4:5: services.web.tty: must be a boolean, and is a string ("maybe")'),
    "list-for-mapping": (service("deploy: [a]"), "f.yml:4:5: services.web.deploy: must be empty or a mapping, and is a list"),
    "service-is-a-list": ("services:\n  web: []\n", "f.yml:2:3: services.web: must be a mapping, and is a list"),
    "empty-image": ("services:\n  web:\n    image:\n", "f.yml:3:5: services.web.image: must be a string, and is empty"),
    "no-image": ("services:\n  web:\n    tty: true\n", "f.yml:2:3: services.web: there is no image; name one with `image`; images are not built here"),
    "port": (
        service('ports: ["80:x"]'),
        'f.yml:4:13: services.web.ports[0]: "80:x" is not a port mapping; write it like "8000:80" or "8000-8005:80-85"',
    ),
    "port-too-big": (service("ports: [70000]"), 'f.yml:4:13: services.web.ports[0]: "70000": ports are numbers from 1 to 65535, ranges ascend'),
    "port-ranges": (service('ports: ["1-3:5-6"]'), 'f.yml:4:13: services.web.ports[0]: "1-3:5-6": the two ranges differ in length'),
    "port-address": (service('ports: ["1.2.3:80:80"]'), 'f.yml:4:13: services.web.ports[0]: "1.2.3:80:80": "1.2.3" is not an IP address'),
    "port-protocol": (service('ports: ["80/icmp"]'), 'f.yml:4:13: services.web.ports[0]: "80/icmp": the protocol must be tcp, udp or sctp'),
    "port-twice": (service('ports: ["80:80", "80:80"]'), 'f.yml:4:22: services.web.ports[1]: "80:80" stands in this list twice'),
    "port-no-target": (service("ports: [{published: 80}]"), 'f.yml:4:13: services.web.ports[0]: the key "target" is missing'),
    "duration": (
        service("stop_grace_period: 5x"),
        'f.yml:4:5: services.web.stop_grace_period: "5x" is not a duration; write it like "10s", "1m30s" or "500ms"',
    ),
    "size": (
        service("deploy: {resources: {limits: {memory: 5x}}}"),
        'f.yml:4:35: services.web.deploy.resources.limits.memory: "5x" is not a size; write it like "512m", "1.5g" or a number of bytes',
    ),
    "cpus": (
        service("deploy: {resources: {limits: {cpus: many}}}"),
        'f.yml:4:35: services.web.deploy.resources.limits.cpus: "many" is not a number of CPUs; write it like "0.5" or "2"',
    ),
    "choice": (
        service("deploy: {update_config: {order: start-fist}}"),
        'f.yml:4:30: services.web.deploy.update_config.order: "start-fist" is not one of start-first, stop-first; did you mean "start-first"?',
    ),
    "command-quote": (service("command: sh -c 'x"), "f.yml:4:5: services.web.command: the quote that opens at character 7 is never closed: sh -c 'x"),
    "mount": (service('volumes: ["a:b:c:d"]'), 'f.yml:4:15: services.web.volumes[0]: "a:b:c:d" has too many colons'),
    "mount-type": (service("volumes: [{target: /x}]"), 'f.yml:4:15: services.web.volumes[0]: the key "type" is missing'),
    "volume-undeclared": (
        service('volumes: ["dta:/x"]') + "volumes: {data: }\n",
        'f.yml:4:5: services.web.volumes: volume "dta" is not declared; did you mean "data"?',
    ),
    "bind-without-source": (service("volumes: [{type: bind, target: /x}]"), "f.yml:4:5: services.web.volumes: the bind mount at /x has no source"),
    "mount-options": (
        service("volumes: [{type: bind, source: /a, target: /x, tmpfs: {size: 1}}]"),
        "f.yml:4:5: services.web.volumes: the mount at /x: tmpfs options do not fit the type bind",
    ),
    "network-undeclared": (
        service("networks: [webnt]") + "networks: {webnet: }\n",
        'f.yml:4:16: services.web.networks.webnt: network "webnt" is not declared; did you mean "webnet"?',
    ),
    "secret-undeclared": (
        service("secrets: [s]"),
        'f.yml:4:5: services.web.secrets: secret "s" is not declared; declare it under the top-level `secrets`',
    ),
    "secret-of-nothing": (
        service() + "secrets:\n  s: {}\n",
        "f.yml:5:3: secrets.s: nothing says where its content comes from; give `file` or `external: true`",
    ),
    "secret-of-two": (service() + "secrets:\n  s: {file: a, external: true}\n", "f.yml:5:3: secrets.s: file and external exclude each other"),
    "secret-file": (service() + "secrets:\n  s: {file: gone}\n", "there is no file of secret s {here}/gone; look at the path, or name another one"),
    "secret-variable": (
        service() + "secrets:\n  s: {environment: GONE}\n",
        "secrets.s: the environment variable GONE is not set; export it first",
    ),
    "env-file": (service("env_file: gone.env"), "there is no env file {here}/gone.env; look at the path, or name another one"),
    "global-replicas": (
        service("deploy: {mode: global, replicas: 2}"),
        "f.yml:4:28: services.web.deploy.replicas: a service of mode global has one task on each node and takes no replicas",
    ),
    "health": (
        service("healthcheck: {disable: true, test: x}"),
        "f.yml:4:5: services.web.healthcheck: test and disable cannot be given together",
    ),
    "restart": (
        service("restart: sometimes"),
        'f.yml:4:5: services.web.restart: "sometimes" is not one of no, always, unless-stopped, on-failure and on-failure:COUNT',
    ),
    "extends": (
        service("extends: wob") + "  web2: {image: y}\n",
        'f.yml:4:5: services.web.extends: there is no service "wob" in f.yml to extend; did you mean "web"?',
    ),
    "version-2": ("version: '2'\n" + service(), """f.yml:1:1: version: unsupported version "2"; write version: '3.8', or leave the key out"""),
    "version-number": ("version: 3\n" + service(), 'f.yml:1:1: version: must be a string, and is an integer (3); put it in quotes: "3"'),
    "no-services": ("version: '3'\n", "f.yml:1:1: there is no service in this file; declare one under `services`"),
    "service-name": ("services:\n  a b: {image: x}\n", 'f.yml:2:3: services.a b: "a b" is not a name: letters, digits, ".", "_" and "-" are allowed'),
    "variable-required": (service("hostname: ${H:?who are you}"), "f.yml:4:5: services.web.hostname: the variable H has no value: who are you"),
    "variable-malformed": (
        service("hostname: ${H!x}"),
        'f.yml:4:5: services.web.hostname: "${H!x}" is no form of a variable; write "$$" for a dollar sign',
    ),
    "variable-bare": (service("hostname: cost 5$"), 'f.yml:4:5: services.web.hostname: the "$" in "cost 5$" begins no variable; write "$$" for a dollar sign'),
    "variable-number": (
        service("deploy: {replicas: '${N:-many}'}"),
        'f.yml:4:14: services.web.deploy.replicas: must be a number, and its variables make it "many"',
    ),
    "not-yaml": ("services:\n  web: [\n", "f.yml:3:1: this is not YAML: expected the node content, but found '<stream end>'"),
    "not-yaml-tab": ("services:\n\tweb: x\n", "f.yml:2:1: this is not YAML: found character '\\t' that cannot start any token"),
    "a-word": ("hello\n", "f.yml: this is not a compose file: its top must be a mapping with the key `services`"),
    "empty-file": ("", "f.yml: this is not a compose file: its top must be a mapping with the key `services`"),
    "binary": (b"\xff\xfe\x00", "f.yml: this is not a text file: byte 0 is not UTF-8"),
    "key-twice": (service("image: y"), 'f.yml:4:5: the key "image" stands here a second time, first in line 3'),
    "alias": ("services: *gone\n", "f.yml:1:11: the alias *gone names no anchor above it"),
    "two-documents": (service() + "---\na: 1\n", "f.yml:4:1: there is a second document in this file; `---` may stand only at its top"),
}  # fmt: skip

WARNINGS = {
    "depends-on-typo": (
        service("depends_on: [worker]") + "  celery-worker: {image: y}\n",
        'f.yml:4:18: services.web.depends_on.worker: "worker" is no service of this file and is not waited for; '
        'did you mean "celery-worker"?',
    ),
    "depends-on-nothing": (
        service("depends_on:", "  zzz: {condition: service_healthy}"),
        'f.yml:5:7: services.web.depends_on.zzz: "zzz" is no service of this file and is not waited for',
    ),
    "ignored": (
        service("attach: true", "container_name: c"),
        "f.yml:4: service web: not honoured: attach (`stack deploy` attaches to nothing), "
        "container_name (containers are named after their tasks)",
    ),
    "ignored-below": (
        service("networks:", "  default: {ipv4_address: 1.2.3.4}"),
        "f.yml:5: service web: not honoured: networks.default.ipv4_address "
        "(tasks of a service get their addresses from the network's pool)",
    ),
    "ignored-at-top": (
        "models: {m: {model: x}}\n" + service(),
        "f.yml:1: not honoured: models (models are not run here; give its address in `environment`)",
    ),
    "unset": (
        service("hostname: $NOBODY"),
        "f.yml: the variable NOBODY is not set; an empty string stands in for it",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Several:
    """A case that takes several files, or options."""

    files: Mapping[str, str]
    message: str
    names: tuple[str, ...] = ("f.yml",)
    environment: Mapping[str, str] = field(default_factory=dict)
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    warning: bool = False
    note: bool = False


SEVERAL: dict[str, Several] = {}


def every_text() -> list[str]:
    """Every message that stands in these tables."""
    return [
        *(message for table in (PROBLEMS, WARNINGS) for _, message in table.values()),
        *(case.message for case in SEVERAL.values()),
    ]
