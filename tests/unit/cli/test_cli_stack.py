from __future__ import annotations

import copy
import io
import json
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon

from hivelet.cli.session import Session

FILE = """
services:
  db:
    image: db:1
  web:
    image: web
    deploy: {replicas: 2}
    depends_on: {db: {condition: service_healthy}}
    ports: ["127.0.0.1:8000:80"]
    volumes: ["data:/data"]
    secrets: [token]
    networks: [back]
networks:
  back:
volumes:
  data:
secrets:
  token: {file: token.txt}
"""


@pytest.fixture
def stack_file(tmp_path: Path) -> str:
    (tmp_path / "token.txt").write_text("s3cret")
    path = tmp_path / "docker-compose.yml"
    path.write_text(FILE)
    return str(path)


def as_hivelet(daemon: FakeDaemon) -> None:
    """The daemon is hivelet's, and has the images of the file."""
    daemon.answers["GET", "/version"] = (200, {"Platform": {"Name": "hivelet"}})
    for image in ("db:1", "web:latest"):
        daemon.answers["GET", f"/images/{image}/json"] = (200, {"Id": "sha256:1"})


def test_deploy_creates_in_order_and_waits(
    daemon: FakeDaemon, hivelet, clock, stack_file: str
) -> None:
    result = hivelet("stack", "deploy", "-c", stack_file, "app")
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        "Plan for stack app:",
        "  + network app_default",
        "  + network app_back",
        "  + secret app_token",
        "  + service app_db, starts 1 task",
        "  + service app_web, starts 2 tasks",
        "5 to create, 0 to change, 0 to remove; no task restarts.",
        "Creating network app_default",
        "Creating network app_back",
        "Creating secret app_token",
        "Creating service app_db",
        "Creating service app_web",
        "app_db: 1/1 running, verifying",
        "app_web: 2/2 running, verifying",
        "app_db: 1/1 converged",
        "app_web: 2/2 converged",
    ]
    assert clock.now == pytest.approx(105.0, abs=0.3)


def test_what_is_sent_says_everything_that_a_docker_engine_must_know(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    as_hivelet(daemon)
    sent = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert sent.code == 0, sent.err
    (_, web) = daemon.bodies("POST", "/services/create")
    container = web["TaskTemplate"]["ContainerSpec"]
    assert web["Labels"]["com.hivelet.depends-on"] == "app_db:healthy"
    assert container["Image"] == "web:latest"
    assert container["Mounts"][0]["Type"] == "volume"
    assert container["Secrets"][0]["File"] == {
        "Name": "token",
        "UID": "0",
        "GID": "0",
        "Mode": 0o444,
    }
    assert container["Secrets"][0]["SecretID"]
    assert web["EndpointSpec"]["Ports"] == [
        {
            "Protocol": "tcp",
            "TargetPort": 80,
            "PublishedPort": 8000,
            "PublishMode": "ingress",
            "HostIP": "127.0.0.1",
        }
    ]
    assert daemon.bodies("POST", "/secrets/create")[0]["Data"] == "czNjcmV0"


def test_a_docker_engine_cannot_bind_a_port_to_one_address(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    result = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    here = "Warning: this daemon is a Docker engine: "
    assert result.err.splitlines()[-2:] == [
        f"{here}ports for 127.0.0.1 are published on all of its addresses",
        f"{here}it starts app_web without waiting for what depends_on names",
    ]
    as_hivelet(daemon)
    changed = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert (changed.out.splitlines()[-1][:24], changed.err) == ("Updating service app_web", "")
    unchanged = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert unchanged.out == "Stack app is as its file has it: nothing to do.\n"


def test_an_unchanged_file_changes_nothing(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    daemon.requests.clear()
    result = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert result.out == "Stack app is as its file has it: nothing to do.\n"
    assert not daemon.bodies("POST", "/services/.*")


def test_only_what_changed_is_updated(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    web = next(s for s in daemon.objects["services"].values() if s["Spec"]["Name"] == "app_web")
    web["Spec"]["TaskTemplate"]["ForceUpdate"] = 7
    web["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = "web:latest@sha256:abc"
    Path(stack_file).write_text(FILE.replace("replicas: 2", "replicas: 5"))
    result = hivelet("stack", "deploy", "-c", stack_file, "app")
    assert "service app_db" in next(x for x in result.out.splitlines() if "Unchanged" in x)
    assert "      restarts no task; starts 3 tasks" in result.out.splitlines()
    assert f"Updating service app_web (id: {web['ID']})" in result.out
    (sent,) = daemon.bodies("POST", "/services/.*/update")
    assert sent["Mode"] == {"Replicated": {"Replicas": 5}}
    assert sent["TaskTemplate"]["ForceUpdate"] == 7
    assert sent["TaskTemplate"]["ContainerSpec"]["Image"] == "web:latest@sha256:abc"


def test_prune_removes_what_the_stack_owns(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    Path(stack_file).write_text("services:\n  db:\n    image: db:1\n")
    result = hivelet("stack", "deploy", "-d", "--prune", "-c", stack_file, "app")
    assert result.code == 0
    assert result.out.splitlines() == [
        "Plan for stack app:",
        "  - service app_web, stops 2 tasks",
        "  - network app_back (the file no longer has it)",
        "  - secret app_token (the file no longer has it)",
        "  Unchanged: network app_default, service app_db",
        "0 to create, 0 to change, 3 to remove; no task restarts.",
        "Removing service app_web",
        "Removing network app_back",
        "Removing secret app_token",
    ]


def test_failing_service_ends_the_wait_with_its_last_words(
    daemon: FakeDaemon, hivelet, tmp_path: Path
) -> None:
    path = tmp_path / "f.yml"
    path.write_text("services:\n  a:\n    image: gone\n")
    daemon.task_state, daemon.task_error = "rejected", "No such image: gone:latest"
    daemon.logs = [(1, "starting\n"), (2, "cannot go on\n")]
    result = hivelet("stack", "deploy", "--timeout", "10s", "-c", str(path), "app")
    assert result.code == 1
    assert "app_a: 0/1 after 1 failed: No such image: gone:latest" in result.out
    assert result.err.splitlines() == [
        "Warning: image gone:latest could not be looked up in its registry (page not found): "
        "each node takes what it has or can pull under that name",
        "Error: service app_a: it has not converged within 10 s",
        "  task tsk003000000 (rejected): No such image: gone:latest",
        "  | starting",
        "  | cannot go on",
        "  `hivelet service ps --no-trunc app_a` shows all tasks",
    ]


def test_bad_file_changes_nothing(daemon: FakeDaemon, hivelet, tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_text("services:\n  a:\n    image: x\n    delopy: {replicas: 5}\n")
    result = hivelet("stack", "deploy", "-c", str(path), "app")
    assert (result.code, result.out) == (1, "")
    assert (
        result.err
        == f'Error: {path}:4:5: services.a.delopy: unknown key "delopy"; did you mean "deploy"?\n'
    )
    assert daemon.requests == []


@pytest.mark.parametrize("name", ["a b", "-x", "ä"])
def test_bad_stack_name(daemon: FakeDaemon, hivelet, stack_file: str, name: str) -> None:
    result = hivelet("stack", "deploy", "-c", stack_file, "--", name)
    assert result.code == 1
    assert "invalid stack name" in result.err
    assert daemon.requests == []


def test_port_taken_is_told_as_the_daemon_says_it(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    message = "port '8000' is already in use by service 'other_web' (abc) as an ingress port"
    raw = f"rpc error: code = InvalidArgument desc = {message}"
    daemon.answers["POST", "/services/create"] = (400, {"message": raw})
    result = hivelet("stack", "deploy", "-c", stack_file, "app")
    assert result.code == 1
    assert result.err.endswith(f"Error: {message}\n")


def test_a_missing_image_and_a_taken_port_change_nothing(
    daemon: FakeDaemon, hivelet, tmp_path: Path
) -> None:
    daemon.answers["GET", "/version"] = (200, {"Platform": {"Name": "hivelet"}})
    path = tmp_path / "f.yml"
    path.write_text('services:\n  a: {image: "nope:9"}\n')
    result = hivelet("stack", "deploy", "-c", str(path), "app")
    assert result.code == 1
    assert "image nope:9 of service app_a is neither on this node" in result.err
    daemon.answers["GET", "/images/x:latest/json"] = (200, {})
    path.write_text(
        'services:\n  a: {image: x, ports: ["80:80"]}\n  b: {image: x, ports: ["80:81"]}\n'
    )
    result = hivelet("stack", "deploy", "-c", str(path), "app")
    assert result.code == 1
    assert "port 80/tcp of service app_b is already published by service app_a" in result.err
    assert not daemon.bodies("POST", ".*")


def test_external_network_that_is_not_there(daemon: FakeDaemon, hivelet, tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_text(
        "services:\n  a: {image: x, networks: [n]}\nnetworks:\n  n: {external: true, name: out}\n"
    )
    result = hivelet("stack", "deploy", "-c", str(path), "app")
    assert result.err == (
        'Error: network "out" is declared as external and does not exist; '
        "create it first: hivelet network create -d overlay out\n"
    )
    assert not daemon.objects["services"]


def test_rm_removes_all_and_waits(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    result = hivelet("stack", "rm", "app")
    assert result.code == 0
    assert result.out.splitlines() == [
        "Removing service app_db",
        "Removing service app_web",
        "Removing secret app_token",
        "Removing network app_default",
        "Removing network app_back",
    ]
    left = [*daemon.objects["services"], *daemon.objects["networks"], *daemon.objects["secrets"]]
    assert left == []


def test_rm_of_a_network_that_tasks_still_leave_is_tried_again(
    daemon: FakeDaemon, hivelet, clock, stack_file: str
) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    network = next(n for n in daemon.objects["networks"].values() if n["Name"] == "app_back")
    daemon.answers["DELETE", f"/networks/{network['Id']}"] = (
        403,
        {"message": "network app_back is in use by task t1"},
    )
    result = hivelet("stack", "rm", "--timeout", "2s", "app")
    assert result.code == 1
    assert (
        result.err
        == "Error: failed to remove network app_back: network app_back is in use by task t1\n"
    )
    assert clock.now >= 102.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deploy", "--timeout", "-5s"), '--timeout: "-5s" is less than no time at all'),
        (
            ("deploy", "--timeout", "soon"),
            '--timeout: "soon" is not a duration; write it like "10s", "1m30s" or "500ms"',
        ),
        (("top", "--once", "--interval", "-1"), '--interval: "-1" is not a duration'),
    ],
)
def test_times_that_are_none(hivelet, stack_file: str, words: tuple[str, ...], said: str) -> None:
    files = ("-c", stack_file) if words[0] == "deploy" else ()
    result = hivelet("stack", *words, *files, "app")
    assert result.code == 1
    assert result.err.startswith(f"Error: {said}")


def test_rm_of_nothing(hivelet) -> None:
    result = hivelet("stack", "rm", "nope")
    assert (result.code, result.err) == (0, "Warning: Nothing found in stack: nope\n")


def test_not_a_manager(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    daemon.swarm = "inactive"
    result = hivelet("stack", "deploy", "-c", stack_file, "app")
    assert result.code == 1
    assert result.err.startswith("Error: This node is not a swarm manager.")


def test_config_prints_the_long_form(hivelet, stack_file: str) -> None:
    result = hivelet("stack", "config", "-c", stack_file)
    assert result.code == 0
    assert result.out.startswith('version: "3.13"\nservices:\n  db:\n    image: db:1\n')


HOST = "services:\n  web: {image: 'web:${TAG}', privileged: true}\n  tools: {image: tools, profiles: [admin]}\n"


def test_config_tells_what_it_has_read_and_left_out(hivelet, tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_text(HOST)
    (tmp_path / "one.env").write_text("TAG=1\n")
    words = (
        "stack",
        "config",
        "-c",
        str(tmp_path / "f.yml"),
        "--env-file",
        str(tmp_path / "one.env"),
    )
    result = hivelet(*words)
    assert "image: web:1" in result.out
    assert result.err.splitlines() == [
        f"Note: variables are read from {tmp_path}/one.env",
        "Note: left out, as no profile of theirs is active: tools (admin); bring one in with --profile admin",
    ]
    assert hivelet(*words, "--quiet").err == ""
    assert "image: tools" in hivelet(*words, "--profile", "admin").out


def test_deploy_names_what_a_docker_engine_does_not_honour(
    daemon: FakeDaemon, hivelet, tmp_path: Path
) -> None:
    (tmp_path / "f.yml").write_text(HOST)
    (tmp_path / ".env").write_text("TAG=2\n")
    words = ("stack", "deploy", "-q", "-c", str(tmp_path / "f.yml"), "app")
    told = f"Warning: {tmp_path}/f.yml:2: service web: not honoured by a Docker engine's services: privileged\n"
    assert hivelet(*words).err.splitlines(keepends=True)[0] == told
    (spec,) = daemon.bodies("POST", "/services/create")
    assert spec["TaskTemplate"]["ContainerSpec"]["Image"] == "web:2"
    assert "Privileged" not in spec["TaskTemplate"]["ContainerSpec"]
    daemon.requests.clear()
    assert hivelet(*words).code == 0
    assert not daemon.bodies("POST", "/services/.*")


def test_deploy_to_hivelet_sends_settings_of_the_host(
    daemon: FakeDaemon, hivelet, tmp_path: Path
) -> None:
    as_hivelet(daemon)
    daemon.answers["GET", "/images/web:2/json"] = (200, {"Id": "sha256:2"})
    (tmp_path / "f.yml").write_text(HOST)
    result = hivelet(
        "stack", "deploy", "-q", "-c", str(tmp_path / "f.yml"), "app", environment={"TAG": "2"}
    )
    assert (result.code, result.err) == (0, "")
    (spec,) = daemon.bodies("POST", "/services/create")
    assert spec["TaskTemplate"]["ContainerSpec"]["Privileged"] is True


def test_deploy_to_hivelet_names_what_only_a_docker_engine_honours(
    daemon: FakeDaemon, hivelet, tmp_path: Path
) -> None:
    daemon.answers["GET", "/images/web:2/json"] = (200, {"Id": "sha256:2"})
    file = tmp_path / "f.yml"
    file.write_text(
        "services:\n  web: {image: 'web:2', networks: {default: {driver_opts: {a: b}}}}\n"
    )
    words = ("stack", "deploy", "-q", "--resolve-image", "never", "-c", str(file), "app")
    assert hivelet(*words).err == ""
    as_hivelet(daemon)
    assert hivelet(*words).err == (
        f"Warning: {file}:2: service web: not honoured by hivelet's daemon: networks.default.driver_opts "
        "(give options to the network itself)\n"
    )


# ---- plans on the command line


def test_a_plan_changes_nothing_and_its_exit_code_tells(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    words = ("stack", "plan", "-c", stack_file, "app")
    assert hivelet(*words).code == 0
    assert hivelet(*words, "--exit-code").code == 3
    assert hivelet(*words, "--quiet").out == (
        "5 to create, 0 to change, 0 to remove; no task restarts.\n"
    )
    steps = json.loads(hivelet(*words, "--format", "json").out)["Steps"]
    assert [(step["Action"], step["Name"]) for step in steps][-1] == ("create", "app_web")
    assert not daemon.bodies("POST", "/(services|networks|secrets)/create")
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert hivelet(*words, "--exit-code").code == 0


def test_the_question_whether_contents_are_the_same_changes_nothing(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    before = copy.deepcopy(daemon.objects["secrets"])
    Path(stack_file).with_name("token.txt").write_text("other")
    plan = hivelet("stack", "plan", "-c", stack_file, "app").out
    assert "(the content of app_token has changed)" in plan
    assert daemon.objects["secrets"] == before


def test_the_name_of_the_stack_may_be_the_files(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    nameless = hivelet("stack", "deploy", "-c", stack_file)
    assert (nameless.code, nameless.err) == (
        1,
        "Error: the stack has no name: give one after the options (hivelet stack deploy -c FILE STACK), "
        "or write `name:` into the file\n",
    )
    Path(stack_file).write_text(f"name: own\n{FILE}")
    hivelet("stack", "deploy", "-d", "-c", stack_file)
    names = {service["Spec"]["Name"] for service in daemon.objects["services"].values()}
    assert names == {"own_db", "own_web"}
    hivelet("stack", "rm", "own")
    given = {"COMPOSE_PROJECT_NAME": "given"}
    plan = hivelet("stack", "plan", "-c", stack_file, environment=given)
    assert plan.out.startswith("Plan for stack given:\n")


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0), (None, 0)])
def test_on_a_terminal_is_asked_before_tasks_restart(
    daemon: FakeDaemon,
    hivelet,
    stack_file: str,
    monkeypatch: pytest.MonkeyPatch,
    answer: str | None,
    code: int,
) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    Path(stack_file).write_text(FILE.replace("image: web", "image: web:2"))
    monkeypatch.setattr(Session, "interactive", True)
    keyboard = io.StringIO(answer or "")
    monkeypatch.setattr(keyboard, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", keyboard)
    agreed = () if answer else ("--yes",)
    result = hivelet("stack", "deploy", "-d", *agreed, "-c", stack_file, "app")
    assert result.code == code
    assert ("Go on and restart 2 tasks? [y/N]" in result.out) == (answer is not None)
    assert bool(daemon.bodies("POST", "/services/.*/update")) == (code == 0)


def test_a_step_that_is_refused_says_how_far_the_plan_is(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    daemon.answers["POST", "/services/create"] = (400, {"message": "no such thing"})
    result = hivelet("stack", "deploy", "-c", stack_file, "app")
    assert result.err.splitlines()[-2:] == [
        "3 of 5 steps of the plan are done, each of them whole; deploying again goes on from there, "
        "`hivelet stack ps app` shows its tasks.",
        "Error: no such thing",
    ]
    del daemon.answers["POST", "/services/create"]
    again = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert "2 to create, 0 to change, 0 to remove" in again.out


def test_a_service_that_somebody_else_changed_meanwhile(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    web = next(s for s in daemon.objects["services"].values() if s["Spec"]["Name"] == "app_web")
    message = {"message": "rpc error: code = Unknown desc = update out of sequence"}
    daemon.answers["POST", f"/services/{web['ID']}/update"] = (500, message)
    Path(stack_file).write_text(FILE.replace("replicas: 2", "replicas: 3"))
    result = hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    assert result.err.splitlines()[-1] == (
        "Error: service app_web was changed by somebody else since the plan was made; deploy again"
    )


def test_images_with_their_digests(daemon: FakeDaemon, hivelet, stack_file: str) -> None:
    unknown = hivelet("stack", "config", "-q", "--lock-image-digests", "-c", stack_file)
    assert "the digest of image db:1 is not known: page not found" in unknown.err
    digests = {"db:1": "sha256:aa", "web:latest": "sha256:bb"}
    told = {"Descriptor": {"digest": digests["db:1"]}}
    daemon.answers["GET", "/distribution/db:1/json"] = (200, told)
    local = {"RepoDigests": [f"web@{digests['web:latest']}"]}
    daemon.answers["GET", "/images/web:latest/json"] = (200, local)
    locked = hivelet("stack", "config", "-q", "--lock-image-digests", "-c", stack_file)
    assert locked.out.splitlines() == [
        'version: "3.13"',
        "services:",
        "  db:",
        "    image: db:1@sha256:aa",
        "  web:",
        "    image: web:latest@sha256:bb",
    ]


def test_an_image_is_pinned_to_what_its_registry_tells(
    daemon: FakeDaemon, hivelet, stack_file: str
) -> None:
    digest = {"Descriptor": {"digest": "sha256:aa"}}
    daemon.answers["GET", "/distribution/db:1/json"] = (200, digest)
    hivelet("stack", "deploy", "-d", "-c", stack_file, "app")
    image = daemon.bodies("POST", "/services/create")[0]["TaskTemplate"]["ContainerSpec"]["Image"]
    assert image == "db:1@sha256:aa"
    moved = {"Descriptor": {"digest": "sha256:bb"}}
    daemon.answers["GET", "/distribution/db:1/json"] = (200, moved)
    words = ("stack", "plan", "-c", stack_file, "app")
    assert "nothing to do" in hivelet(*words).out
    assert (
        "image: db:1@sha256:aa -> db:1@sha256:bb" in hivelet(*words, "--resolve-image=always").out
    )


def test_who_waits_for_a_failed_service_is_given_up_with_it(
    daemon: FakeDaemon, hivelet, clock, tmp_path: Path
) -> None:
    path = tmp_path / "f.yml"
    path.write_text(
        "services:\n  a: {image: x, deploy: {restart_policy: {condition: none}}}\n"
        "  b: {image: x, depends_on: [a]}\n"
    )
    hivelet("stack", "deploy", "-d", "-c", str(path), "app")
    a, b = daemon.objects["services"].values()
    daemon.objects["tasks"].clear()
    daemon.task_state, daemon.task_error = "failed", "exit 1"
    daemon.add_task(a, 1, DesiredState="shutdown")
    daemon.task_state, daemon.task_error = "pending", "waiting for app_a, which has no running task"
    daemon.add_task(b, 1)
    result = hivelet("stack", "deploy", "--timeout", "60s", "-c", str(path), "app")
    assert "service app_a: its restart policy starts no other task: exit 1" in result.err
    assert "service app_b: waiting for app_a, which has no running task" in result.err
    assert clock.now < 110
