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
    "no-image-but-built": ("services:\n  web:\n    build: .\n", "f.yml:2:3: services.web: there is no image; name one with `image`, or build it: `stack deploy --build`"),
    "no-image": ("services:\n  web:\n    tty: true\n", "f.yml:2:3: services.web: there is no image; name one with `image`"),
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
    "duration-beyond-all": (
        service("stop_grace_period: 99999999h"),
        'f.yml:4:5: services.web.stop_grace_period: "99999999h" is too long; the longest duration is 2562047h47m16.854775807s',
    ),
    "size": (
        service("deploy: {resources: {limits: {memory: 5x}}}"),
        'f.yml:4:35: services.web.deploy.resources.limits.memory: "5x" is not a size; write it like "512m", "1.5g" or a number of bytes',
    ),
    "size-beyond-all": (
        service("deploy: {resources: {limits: {memory: 9000000000g}}}"),
        'f.yml:4:35: services.web.deploy.resources.limits.memory: "9000000000g" is too large; the largest size is 9223372036854775807 bytes',
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
    "not-yaml-escape": ('a: "\\UFFFFFFFF"\n', "f.yml: this is not YAML: an escape in a quoted text (\\x, \\u or \\U) is no character"),
    "a-word": ("hello\n", "f.yml: this is not a compose file: its top must be a mapping with the key `services`"),
    "empty-file": ("", "f.yml: this is not a compose file: its top must be a mapping with the key `services`"),
    "binary": (b"\xff\xfe\x00", "f.yml: this is not a text file: byte 0 is not UTF-8"),
    "key-twice": (service("image: y"), 'f.yml:4:5: the key "image" stands here a second time, first in line 3'),
    "alias": ("services: *gone\n", "f.yml:1:11: the alias *gone names no anchor above it"),
    "nested-too-deep": (
        "services:\n  web: {image: x, x-a: " + "[" * 99 + "]" * 99 + "}\n",
        "f.yml:2:121: the values of this file are nested more than 100 levels deep",
    ),
    "variables-too-deep": (
        service("hostname: " + "${A:-" * 51 + "x" + "}" * 51),
        "f.yml:4:5: services.web.hostname: variables are nested more than 50 levels deep here",
    ),
    "replicas-beyond-all": (
        service("deploy: {replicas: 99999999999999999999999}"),
        "f.yml:4:14: services.web.deploy.replicas: must be an integer, and is a number (1e+23)",
    ),
    "two-documents": (service() + "---\na: 1\n", "f.yml:4:1: there is a second document in this file; `---` may stand only at its top"),
    "device": (
        'services:\n  web:\n    image: x\n    devices: [dev/fuse]\n',
        'f.yml:4:15: services.web.devices[0]: "dev/fuse" is not a device; write it like "/dev/fuse" or "/dev/sda:/dev/xvda:r"',
    ),
    "device-permissions": (
        "services:\n  web:\n    image: x\n    devices: ['/dev/a:/dev/b:rx']\n",
        'f.yml:4:15: services.web.devices[0]: "/dev/a:/dev/b:rx" is not a device; write it like "/dev/fuse" or "/dev/sda:/dev/xvda:r"',
    ),
    "mount-empty": (
        "services:\n  web:\n    image: x\n    volumes: ['']\n",
        'f.yml:4:15: services.web.volumes[0]: an empty mount; write it like data:/var/lib/data or ./conf:/etc/app:ro',
    ),
    "mount-empty-part": (
        "services:\n  web:\n    image: x\n    volumes: ['a::b']\n",
        'f.yml:4:15: services.web.volumes[0]: "a::b" has an empty part between its colons',
    ),
    "command-backslash": (
        "services:\n  web:\n    image: x\n    command: 'echo \\'\n",
        'f.yml:4:5: services.web.command: the command ends with a backslash: echo \\',
    ),
    "port-published": (
        'services:\n  web:\n    image: x\n    ports: [{target: 80, published: 8000-8010}]\n',
        'f.yml:4:26: services.web.ports[0].published: "8000-8010" is not a port; ports are numbers from 1 to 65535',
    ),
    "port-long-form": (
        "services:\n  web:\n    image: x\n    ports: ['1:2:3:']\n",
        'f.yml:4:13: services.web.ports[0]: "1:2:3:" is not a port mapping; write it like "8000:80" or "8000"',
    ),
    "port-v6": (
        "services:\n  web:\n    image: x\n    ports: ['[::1:80']\n",
        'f.yml:4:13: services.web.ports[0]: "[::1:80" is not a port mapping; write it like "8000:80" or "[::1]:8000:80"',
    ),
    "target-too-big": (
        'services:\n  web:\n    image: x\n    ports: [{target: 70000}]\n',
        'f.yml:4:14: services.web.ports[0].target: must be 65535 or less, and is 70000',
    ),
    "platform": (
        'services:\n  web:\n    image: x\n    platform: linux/amd64/v8/x\n',
        'f.yml:4:5: services.web.platform: "linux/amd64/v8/x" is not a platform; write it like "linux/amd64"',
    ),
    "mode": (
        "services:\n  web:\n    image: x\n    secrets: [{source: s, mode: '0988'}]\nsecrets: {s: {external: true}}\n",
        'f.yml:4:27: services.web.secrets[0].mode: "0988" is not a file mode; write it in octal like "0440"',
    ),
    "cpus-precise": (
        "services:\n  web:\n    image: x\n    cpus: '0.00000000001'\n",
        'f.yml:4:5: services.web.cpus: "0.00000000001" is too precise for a number of CPUs',
    ),
    "path-empty": (
        "services:\n  web:\n    image: x\n    env_file: ''\n",
        'f.yml:4:5: services.web.env_file: "" is not a path',
    ),
    "boolean-variable": (
        'services:\n  web:\n    image: x\n    tty: ${T:-maybe}\n',
        'f.yml:4:5: services.web.tty: must be true or false, and its variables make it "maybe"',
    ),
    "brace": (
        "services:\n  web:\n    image: x\n    hostname: '${H'\n",
        'f.yml:4:5: services.web.hostname: the brace of a variable in "${H" is never closed',
    ),
    "refused": (
        'services:\n  web:\n    image: x\n    volumes_from: [a]\n',
        'f.yml:4:5: services.web.volumes_from: "volumes_from" is not supported; name a volume under the top-level `volumes` and mount it in both services',
    ),
    "pre-start": (
        'services:\n  web:\n    image: x\n    pre_start: [{command: migrate}]\n',
        'f.yml:4:5: services.web.pre_start: "pre_start" is not supported; make it a service of its own with `deploy.mode: replicated-job`, and wait for it with depends_on: {condition: service_completed_successfully}',
    ),
    "restart-count": (
        "services:\n  web:\n    image: x\n    restart: 'on-failure:x'\n",
        'f.yml:4:5: services.web.restart: "on-failure:x": the number of attempts must be a whole number',
    ),
    "scale-and-replicas": (
        'services:\n  web:\n    image: x\n    scale: 2\n    deploy: {replicas: 3}\n',
        'f.yml:4:5: services.web.scale: 2 is not what deploy.replicas says, 3; take one of them out',
    ),
    "cpu-twice": (
        'services:\n  web:\n    image: x\n    cpus: 1\n    cpu_quota: 1000\n',
        'f.yml:5:5: services.web.cpu_quota: cpus limits the same thing in another way; take one of them out',
    ),
    "ipc": (
        "services:\n  web:\n    image: x\n    ipc: 'service:db'\n",
        'f.yml:4:5: services.web.ipc: "service:db" is not one of host, private, shareable, none; tasks of services do not share namespaces with each other',
    ),
    "network-undeclared-far": (
        'services:\n  web:\n    image: x\n    networks: [zzz]\n',
        'f.yml:4:16: services.web.networks.zzz: network "zzz" is not declared; declare it under the top-level `networks`',
    ),
    "volume-undeclared-far": (
        "services:\n  web:\n    image: x\n    volumes: ['zzz:/x']\n",
        'f.yml:4:5: services.web.volumes: volume "zzz" is not declared; declare it under the top-level `volumes`',
    ),
    "mount-image": (
        'services:\n  web:\n    image: x\n    volumes: [{type: image, source: a, target: /x}]\n',
        'f.yml:4:5: services.web.volumes: the mount at /x: images are not mounted here; copy its files into a volume',
    ),
    "mount-image-options": (
        "services:\n  web:\n    image: x\n    volumes: [{type: image, source: a, target: /x, image: {subpath: y}}]\n",
        'f.yml:4:52: services.web.volumes[0].image: "image" is not supported; images are not mounted here',
    ),
    "provider": (
        service("provider: {type: x, options: {a: b}}"),
        'f.yml:4:5: services.web.provider: "provider" is not supported; services are containers here',
    ),
    "volume-driver": (
        service("volume_driver: x"),
        'f.yml:4:5: services.web.volume_driver: "volume_driver" is not supported; '
        "declare the volume under the top-level `volumes` and give it a driver there",
    ),
    "tmpfs-source": (
        'services:\n  web:\n    image: x\n    volumes: [{type: tmpfs, source: a, target: /x}]\n',
        'f.yml:4:5: services.web.volumes: the tmpfs at /x takes no source',
    ),
    "credential-specs": (
        'services:\n  web:\n    image: x\n    credential_spec: {file: a, registry: b}\n',
        'f.yml:4:5: services.web.credential_spec: config, file and registry exclude each other',
    ),
    "external-volume": (
        'services:\n  web:\n    image: x\nvolumes: {v: {external: true, driver: local}}\n',
        'f.yml:4:11: volumes.v: an external volume takes no driver, driver_opts or labels',
    ),
    "circle": (
        'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n',
        'f.yml:2:30: services.a.depends_on.b: the services wait for each other in a circle: a -> b -> a; take one of them out',
    ),
    "stack-name": (
        "name: 'my stack'\nservices:\n  web:\n    image: x\n",
        'f.yml:1:1: name: invalid stack name "my stack": letters, digits, "_", "." and "-" are allowed',
    ),
    "reset-in-list": (
        "services:\n  web:\n    image: x\n    ports: [!reset '80:80']\n",
        'f.yml:4:13: services.web.ports[0]: !reset stands on an item of a list; put it on the list as a whole',
    ),
    "tag-on-list": (
        'services:\n  web:\n    image: x\n    ports: !set [80]\n',
        'f.yml:4:12: the YAML tag !set has no meaning in a compose file',
    ),
    "tag-on-scalar": (
        'services:\n  web:\n    image: x\n    hostname: !vault x\n',
        'f.yml:4:15: the YAML tag !vault has no meaning in a compose file',
    ),
    "merge-word": (
        'services:\n  web:\n    image: x\n    <<: word\n',
        'f.yml:4:5: `<<` takes a mapping or a list of mappings',
    ),
    "key-list": (
        '? [a]\n: b\n',
        'f.yml:1:3: a key must be a plain word',
    ),
    "key-number": (
        'services:\n  web:\n    image: x\n    labels: {1: a}\n',
        'f.yml:4:14: the key 1 must be a string; put it in quotes',
    ),
    "extends-itself": (
        'services:\n  web:\n    image: x\n    extends: web\n',
        'f.yml:4:5: services.web.extends: the services extend each other in a circle: f.yml:web -> f.yml:web',
    ),
    "include-nothing": (
        "include: [{path: []}]\nservices:\n  web:\n    image: x\n",
        "f.yml:1:11: include[0]: its `path` names no file",
    ),
    "include-remote": (
        "include: ['oci://registry/app']\nservices:\n  web:\n    image: x\n",
        'f.yml:1:11: include[0]: "oci://registry/app" is not a file of this machine; fetch it first and include the copy',
    ),
    "shm": (
        'services:\n  web:\n    image: x\n    shm_size: big\n',
        'f.yml:4:5: services.web.shm_size: "big" is not a size; write it like "512m", "1.5g" or a number of bytes',
    ),
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


WEB = "services:\n  web: {image: x}\n"
SEVERAL: dict[str, Several] = {
    "no-file-named": Several(
        files={}, names=(), message="no compose file is given; name one with -c docker-compose.yml"
    ),
    "directory": Several(
        files={"sub/f.yml": WEB}, names=("sub",), message="the compose file sub is a directory"
    ),
    "gone": Several(
        files={}, message="there is no compose file f.yml; look at the path, or name another one"
    ),
    "unreadable": Several(
        files={"f.yml": WEB},
        names=("f.yml/g.yml",),
        message="the compose file f.yml/g.yml cannot be read: Not a directory",
    ),
    "many": Several(
        files={"f.yml": service(*(f"bad{number}: 1" for number in range(22)))},
        message="\n".join(
            f'f.yml:{4 + number}:5: services.web.bad{number}: unknown key "bad{number}"'
            for number in range(20)
        )
        + "\nf.yml: and 2 more problems",
    ),
    "aliases": Several(
        files={
            "f.yml": "x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
        },
        message="f.yml:6:6: the aliases of this file unfold to more than a million values",
    ),
    "profile-missing": Several(
        files={
            "f.yml": "services:\n  web: {image: x, depends_on: [db]}\n  db: {image: y, profiles: [data]}\n"
        },
        message='f.yml:2:32: services.web.depends_on.db: "db" is left out and not waited for; bring it in with --profile data',
        warning=True,
    ),
    "profile-of-nobody": Several(
        files={"f.yml": "services:\n  web: {image: x}\n  db: {image: y, profiles: [data, more]}\n"},
        profiles=("dta", "more"),
        message='no service has the profile "dta"; did you mean "data"?',
        warning=True,
    ),
    "profiles-told": Several(
        files={
            "f.yml": "services:\n  web: {image: x}\n  b: {image: y, profiles: [two, one]}\n  a: {image: y, profiles: [one]}\n"
        },
        message="left out, as no profile of theirs is active: a (one), b (two, one); bring one in with --profile one",
        note=True,
    ),
    "dotenv-told": Several(
        files={"sub/f.yml": WEB, "sub/.env": "A=1\n"},
        names=("sub/f.yml",),
        message="variables are read from sub/.env",
        note=True,
    ),
    "dotenv-name": Several(
        files={"f.yml": WEB, ".env": "A=1\n\n# c\n5x=1\n"},
        message='.env:4: "5x=1" is no variable; write it like NAME=value',
    ),
    "dotenv-blank": Several(
        files={"f.yml": WEB, ".env": "A B=1\n"},
        message='.env:1: "A B=1" is no variable; write it like NAME=value',
    ),
    "dotenv-quote": Several(
        files={"f.yml": WEB, ".env": "A='x\n"}, message=".env:1: the quote ' is never closed"
    ),
    "dotenv-after-quote": Several(
        files={"f.yml": WEB, ".env": 'A="x" y\n'},
        message=".env:1: something stands after the closing quote of A",
    ),
    "dotenv-variable": Several(
        files={"f.yml": WEB, ".env": "A=${B:?set B}\n"},
        message=".env:1: the variable B has no value: set B",
    ),
    "env-file-option": Several(
        files={"f.yml": WEB},
        env_files=("gone.env",),
        message="there is no env file gone.env; look at the path, or name another one",
    ),
    "env-file-without-name": Several(
        files={"f.yml": service("env_file: w.env"), "w.env": "A=1\n=x\n"},
        message="{here}/w.env:2: there is no name before the `=`",
    ),
    "env-file-blank": Several(
        files={"f.yml": service("env_file: w.env"), "w.env": "A B=1\n"},
        message='{here}/w.env:1: the name "A B" has blanks in it',
    ),
    "env-file-quotes": Several(
        files={"f.yml": service("env_file: [w.env]"), "w.env": "A=\"1\"\nB='2'\nC=3\n"},
        message="{here}/w.env: the quotes around A, B are part of the value, as in `docker stack`; "
        "write `env_file: [{path: …}]` in service web to have them taken away",
        warning=True,
    ),
    "seccomp-gone": Several(
        files={"f.yml": service("security_opt: ['seccomp:p.json']")},
        message="there is no seccomp profile {here}/p.json; look at the path, or name another one",
    ),
    "extends-circle": Several(
        files={
            "f.yml": "services:\n  a: {image: x, extends: {service: b, file: sub/g.yml}}\n",
            "sub/g.yml": "services:\n  b: {extends: {service: a, file: ../f.yml}}\n",
        },
        message="sub/g.yml:2:7: services.b.extends: the services extend each other in a circle: f.yml:a -> sub/g.yml:b -> f.yml:a",
    ),
    "extends-gone": Several(
        files={
            "f.yml": "services:\n  a: {extends: {service: bse, file: g.yml}}\n",
            "g.yml": "services:\n  base: {image: x}\n",
        },
        message='f.yml:2:7: services.a.extends: there is no service "bse" in g.yml to extend; did you mean "base"?',
    ),
    "extends-file-gone": Several(
        files={"f.yml": "services:\n  a: {extends: {service: b, file: sub/g.yml}}\n"},
        message="there is no compose file {here}/sub/g.yml; look at the path, or name another one",
    ),
    "extended-reference": Several(
        files={
            "f.yml": "services:\n  a: {extends: {service: b, file: g.yml}}\n",
            "g.yml": "services:\n  b:\n    image: x\n    networks: [back]\n",
        },
        message='g.yml:4:16: services.b.networks.back: network "back" is not declared; declare it under the top-level `networks`',
    ),
    "include-circle": Several(
        files={"f.yml": "include: [g.yml]\n" + WEB, "g.yml": "include:\n  - f.yml\n"},
        message="g.yml:2:5: include[0]: the files include each other in a circle: f.yml -> g.yml -> f.yml",
    ),
    "include-conflict": Several(
        files={
            "f.yml": "include:\n  - g.yml\n" + WEB + "networks: {n: {internal: true}}\n",
            "g.yml": "services: {web: {image: y}}\nnetworks: {n: {}}\n",
        },
        message='f.yml:2:5: include[0]: the included file declares service "web", which is declared here too, and differently; '
        "give one of them another name, or change it in a file that comes after with -c\n"
        'f.yml:2:5: include[0]: the included file declares network "n", which is declared here too, and differently; '
        "give one of them another name, or change it in a file that comes after with -c",
    ),
    "included-problem": Several(
        files={"f.yml": "include: [sub/g.yml]\n" + WEB, "sub/g.yml": "services: {b: {imge: x}}\n"},
        message='sub/g.yml:1:16: services.b.imge: unknown key "imge"; did you mean "image"?',
    ),
    "project-name": Several(
        files={"f.yml": WEB},
        environment={"COMPOSE_PROJECT_NAME": "-x"},
        message='invalid stack name "-x": letters, digits, "_", "." and "-" are allowed',
    ),
    "override-problem": Several(
        files={"f.yml": WEB, "g.yml": "services:\n  web:\n    secrets: [s]\n"},
        names=("f.yml", "g.yml"),
        message='g.yml:3:5: services.web.secrets: secret "s" is not declared; declare it under the top-level `secrets`',
    ),
    "engine-only": Several(
        files={
            "f.yml": service("networks: {default: {driver_opts: {a: b}}}")
            + "networks: {default: {ipam: {options: {c: d}}}}\n"
        },
        message="f.yml:4: service web: not honoured by hivelet's daemon: networks.default.driver_opts (give options to the network itself)",
    ),
    "daemon-only": Several(
        files={"f.yml": service("privileged: true", "devices: [/dev/fuse]")},
        message="f.yml:4: service web: not honoured by a Docker engine's services: privileged, devices (the node must have the device)",
    ),
}


NO_DEFAULT = "there is no compose.yaml, compose.yml, docker-compose.yml or docker-compose.yaml here; name a file with -c"


def every_text() -> list[str]:
    """Every message that stands in these tables."""
    return [
        *(message for table in (PROBLEMS, WARNINGS) for _, message in table.values()),
        *(case.message for case in SEVERAL.values()),
        NO_DEFAULT,
    ]
