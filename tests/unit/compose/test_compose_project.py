"""Which files, variables and profiles count; what is extended, included, reset; what only one kind of daemon has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hivelet.compose.docker_engine import fit_to_engine
from hivelet.compose.dotenv import parse_dotenv
from hivelet.compose.load import LoadedStack, LoadOptions, load_stack
from hivelet.compose.names import scoped
from hivelet.compose.to_spec.cluster_files import KnownIds
from hivelet.compose.to_spec.services import service_specs
from hivelet.compose.wire import to_wire


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yml", ".yml").replace("_env", ".env")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def load(*names: str, environment: dict[str, str] | None = None, **options: Any) -> LoadedStack:
    return load_stack(names or ("f.yml",), environment or {}, LoadOptions(**options))


def image(loaded: LoadedStack) -> str:
    return loaded.file.services["web"].image


WEB = "services: {web: {image: 'x:${TAG:-none}'}}\n"


@pytest.mark.parametrize(
    ("environment", "options", "tag"),
    [
        ({}, {}, "dotenv"),
        ({"TAG": "caller"}, {}, "caller"),
        ({"TAG": ""}, {}, "none"),
        ({}, {"env_files": ["one.env"]}, "one"),
        ({}, {"env_files": ["one.env", "two.env"]}, "two"),
        ({"COMPOSE_ENV_FILES": "two.env,one.env"}, {}, "one"),
        ({"COMPOSE_DISABLE_ENV_FILE": "1"}, {}, "none"),
        ({"TAG": "caller"}, {"env_files": ["one.env"]}, "caller"),
    ],
)
def test_which_variables_win(
    folder: Path, environment: dict[str, str], options: dict[str, Any], tag: str
) -> None:
    write(folder, f_yml=WEB, _env="TAG=dotenv\n", one_env="TAG=one\n", two_env="TAG=two\n")
    assert image(load(environment=environment, **options)) == f"x:{tag}"


def test_the_dotenv_file_lies_beside_the_first_file(folder: Path) -> None:
    write(folder, sub__f_yml=WEB, g_yml=WEB, _env="TAG=outer\n", sub___env="TAG=inner\n")
    assert image(load("sub/f.yml", "g.yml")) == "x:inner"
    assert image(load("g.yml", "sub/f.yml")) == "x:outer"


def test_the_stacks_name(folder: Path) -> None:
    write(
        folder, f_yml="name: '${P:-filed}'\nservices: {web: {image: 'x:$COMPOSE_PROJECT_NAME'}}\n"
    )
    assert load().name == "filed"
    assert load(environment={"P": "other"}).name == "other"
    named = load(stack="given", environment={"COMPOSE_PROJECT_NAME": "exported"})
    assert (named.name, image(named)) == ("given", "x:given")
    assert load(environment={"COMPOSE_PROJECT_NAME": "exported"}).name == "exported"


PROFILES = """
services:
  web: {image: x}
  dev: {image: x, profiles: [dev], secrets: [s, both]}
  test: {image: x, profiles: [dev, test], secrets: [both]}
secrets: {s: {file: gone}, both: {file: gone}}
"""


@pytest.mark.parametrize(
    ("profiles", "environment", "services"),
    [
        ([], {}, {"web"}),
        (["dev"], {}, {"web", "dev", "test"}),
        ([], {"COMPOSE_PROFILES": "other, test"}, {"web", "test"}),
        (["test"], {"COMPOSE_PROFILES": "dev"}, {"web", "test"}),
        (["*"], {}, {"web", "dev", "test"}),
    ],
)
def test_profiles(
    folder: Path, profiles: list[str], environment: dict[str, str], services: set[str]
) -> None:
    write(folder, f_yml=PROFILES)
    loaded = load(profiles=profiles, environment=environment, with_contents=False)
    assert set(loaded.file.services) == services
    used = {use.source for service in loaded.file.services.values() for use in service.secrets}
    assert set(loaded.file.secrets) == used


def test_reset_and_override(folder: Path) -> None:
    base = """
services:
  web:
    image: x
    ports: ["80:80"]
    environment: {A: 1, B: 2}
    env_file: w.env
    labels: [a=1]
    command: run
    deploy: {replicas: 3, resources: {limits: {memory: 1g}}}
networks: {n: {internal: true}}
"""
    over = """
services:
  web:
    ports: !override ["81:81"]
    environment: {A: !reset null}
    env_file: !reset []
    labels: !override {b: 2}
    command: !reset
    deploy: {replicas: !reset 0, resources: !reset {}}
networks: {n: !override {attachable: true}}
"""
    write(folder, f_yml=base, g_yml=over, w_env="FILED=1\n")
    loaded = load("f.yml", "g.yml")
    web = loaded.file.services["web"]
    assert [port.published for port in web.ports] == [81]
    assert (web.environment, web.labels, web.command) == ({"B": "2"}, {"b": "2"}, [])
    assert web.deploy.replicas is None
    assert web.deploy.resources.limits is None
    assert (loaded.file.networks["n"].internal, loaded.file.networks["n"].attachable) == (
        False,
        True,
    )


def test_reset_in_a_service_that_extends(folder: Path) -> None:
    write(
        folder,
        f_yml="services:\n  web: {extends: {file: g.yml, service: b}, ports: !reset [], dns: !override [2.2.2.2]}\n",
        g_yml="services: {b: {image: x, ports: ['80:80'], dns: [1.1.1.1], hostname: h}}\n",
    )
    web = load().file.services["web"]
    assert (web.ports, web.dns, web.hostname) == ([], ["2.2.2.2"], "h")


def test_paths_of_extended_and_included_files_are_seen_from_there(folder: Path) -> None:
    write(
        folder,
        f_yml="include: [sub/i.yml]\nservices: {web: {extends: {file: sub/e.yml, service: b}}}\n",
        sub__e_yml="services: {b: {image: x, volumes: ['./d:/d'], env_file: e.env, build: ./ctx, security_opt: ['seccomp=p.json']}}\n",
        sub__e_env="E=1\n",
        sub__i_yml="services: {db: {image: x, volumes: ['./i:/i'], build: {context: https://x/y.git}}}\n",
    )
    (folder / "sub/p.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    loaded = load()
    web, db = loaded.file.services["web"], loaded.file.services["db"]
    assert web.volumes[0].source == f"{folder}/sub/d"
    assert web.environment == {"E": "1"}
    assert web.build is not None
    assert web.build.context == f"{folder}/sub/ctx"
    assert web.security_opt == ['seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']
    assert loaded.long_form["services"]["web"]["security_opt"] == [f"seccomp={folder}/sub/p.json"]
    assert db.volumes[0].source == f"{folder}/sub/i"
    assert db.build is not None
    assert db.build.context == "https://x/y.git"


def test_a_service_may_extend_one_of_a_file_before(folder: Path) -> None:
    write(
        folder,
        f_yml="services: {base: {image: x, user: me}}\n",
        g_yml="services: {web: {extends: base, tty: true}}\n",
    )
    web = load("f.yml", "g.yml").file.services["web"]
    assert (web.image, web.user, web.tty) == ("x", "me", True)


def test_an_included_service_may_be_changed_by_a_later_file(folder: Path) -> None:
    write(
        folder,
        f_yml="include: [i.yml]\nservices: {web: {image: x}}\n",
        i_yml="services: {db: {image: 'db:1', user: me}}\n",
        g_yml="services: {db: {image: 'db:2'}}\n",
    )
    db = load("f.yml", "g.yml").file.services["db"]
    assert (db.image, db.user) == ("db:2", "me")


def test_the_same_declaration_in_two_included_files_is_no_conflict(folder: Path) -> None:
    shared = "networks: {back: {internal: true}}\n"
    write(
        folder,
        f_yml="include: [a.yml, b.yml]\nservices: {web: {image: x, networks: [back]}}\n",
        a_yml=shared,
        b_yml=shared,
    )
    assert load().file.networks["back"].internal


def test_a_build_without_an_image_is_for_those_who_build(folder: Path) -> None:
    write(folder, f_yml="services: {web: {build: {context: ., args: {A: 1, B: }, pull: true}}}\n")
    build = load(builds=True).file.services["web"].build
    assert build is not None
    assert (build.context, build.args, build.pull) == (".", {"A": "1", "B": None}, True)


def test_what_a_docker_engine_does_not_keep(folder: Path) -> None:
    text = """
services:
  web:
    image: x
    privileged: true
    shm_size: 1m
    devices: [/dev/null, {source: /dev/zero, target: /dev/z, permissions: r}]
    memswap_limit: 96m
    mem_swappiness: 10
    oom_score_adj: 5
    domainname: d
    group_add: [audio]
    dns_opt: ["ndots:1"]
    deploy: {resources: {limits: {memory: 64m}}}
"""
    write(folder, f_yml=text)
    (spec,) = service_specs("st", load().file, KnownIds()).values()
    wire = to_wire(spec)
    container, resources = wire["TaskTemplate"]["ContainerSpec"], wire["TaskTemplate"]["Resources"]
    assert container["Devices"][1] == {
        "PathOnHost": "/dev/zero",
        "PathInContainer": "/dev/z",
        "CgroupPermissions": "r",
    }
    assert (container["Privileged"], container["ShmSize"]) == (True, 1 << 20)
    assert (resources["SwapBytes"], resources["MemorySwappiness"]) == (32 << 20, 10)
    fit_to_engine([wire], "1.41")
    assert container == {
        "Image": "x:latest",
        "Labels": {"com.docker.stack.namespace": "st"},
        "Groups": ["audio"],
        "DNSConfig": {"Options": ["ndots:1"]},
        "Privileges": {},
    }
    assert resources == {"Limits": {"MemoryBytes": 64 << 20}}
    assert wire["Name"] == scoped("st", "web")


def test_a_newer_engine_keeps_more(folder: Path) -> None:
    write(
        folder,
        f_yml="services: {web: {image: x, oom_score_adj: 5, memswap_limit: -1, tty: true}}\n",
    )
    (spec,) = service_specs("st", load().file, KnownIds()).values()
    wire = to_wire(spec)
    fit_to_engine([wire], "1.52")
    assert wire["TaskTemplate"]["ContainerSpec"]["OomScoreAdj"] == 5
    assert wire["TaskTemplate"]["Resources"]["SwapBytes"] == -1


DOTENV = """\
# comment
PLAIN=value
export EXPORTED = spaced
COLON: yes
EMPTY=
COMMENT=a # b
HASH=a#b
ONLY= # nothing
SINGLE='a $PLAIN # b'
DOUBLE="a $PLAIN\\t\\"q\\" \\$x \\\\"  # after
LINES="one
two"
NESTED=${GONE:-${PLAIN}!}
OVER=$HOME
FROM
ABSENT
LAST=end"""


def test_dotenv() -> None:
    assert parse_dotenv(DOTENV, ".env", {"HOME": "/h", "FROM": "caller"}) == {
        "PLAIN": "value",
        "EXPORTED": "spaced",
        "COLON": "yes",
        "EMPTY": "",
        "COMMENT": "a",
        "HASH": "a#b",
        "ONLY": "",
        "SINGLE": "a $PLAIN # b",
        "DOUBLE": 'a value\t"q" $x \\',
        "LINES": "one\ntwo",
        "NESTED": "value!",
        "OVER": "/h",
        "FROM": "caller",
        "LAST": "end",
    }
