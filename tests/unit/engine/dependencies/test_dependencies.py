import pytest

from hivelet.engine.dependencies.known import (
    Dependencies,
    FileReference,
    file_references,
    resolve_files,
)
from hivelet.errors import InvalidParameter, NotFound
from hivelet.objects.common import ConfigId, Driver, SecretId
from hivelet.objects.secret import Config, ConfigSpec, Secret, SecretSpec
from hivelet.objects.task import (
    ConfigReference,
    ContainerSpec,
    SecretReference,
    SecretReferenceFile,
)
from hivelet.objects.templating import TemplateContext


def secret(target="key", **file):
    return SecretReference(
        secret_id="s1", secret_name="key", file=SecretReferenceFile(name=target, **file)
    )


def config(target="web.conf", **file):
    return ConfigReference(
        config_id="c1", config_name="conf", file=SecretReferenceFile(name=target, **file)
    )


def known(secret_spec=None, config_spec=None):
    return Dependencies(
        secrets={SecretId("s1"): Secret(id=SecretId("s1"), spec=secret_spec)}
        if secret_spec
        else {},
        configs={ConfigId("c1"): Config(id=ConfigId("c1"), spec=config_spec)}
        if config_spec
        else {},
    )


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        (secret("key"), "/run/secrets/key"),
        (secret("a/key"), "/run/secrets/a/key"),
        (secret("/etc/key"), "/etc/key"),
        (config("web.conf"), "/web.conf"),
        (config("/etc/web.conf"), "/etc/web.conf"),
    ],
)
def test_targets_are_dockers(reference, target):
    kind = "secrets" if isinstance(reference, SecretReference) else "configs"
    (found,) = file_references(ContainerSpec(**{kind: [reference]}))
    assert found.target == target


def test_owner_and_mode_are_the_services():
    spec = ContainerSpec(secrets=[secret(uid="33", gid="44", mode=0o4400)])
    assert file_references(spec) == (
        FileReference(
            kind="secret",
            id="s1",
            name="key",
            target="/run/secrets/key",
            uid=33,
            gid=44,
            mode=0o400,
        ),
    )


def test_a_config_for_the_runtime_is_no_file():
    assert file_references(ContainerSpec(configs=[config().replaced(runtime={})])) == ()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (secret(uid="www-data"), 'the UID "www-data" must be a number'),
        (secret(gid="-1"), 'the GID "-1" must be a number'),
        (secret("."), "is no file"),
        (secret("../.."), "is no file"),
        (secret().replaced(file=None), "does not say at which file"),
    ],
)
def test_nonsense_is_refused(reference, words):
    with pytest.raises(InvalidParameter, match=words):
        file_references(ContainerSpec(secrets=[reference]))


def test_files_have_the_contents_that_the_cluster_told():
    files = file_references(ContainerSpec(secrets=[secret()], configs=[config()]))
    told = known(SecretSpec(name="key", data=b"\0s"), ConfigSpec(name="conf", data=b"c"))
    assert [file.data for file in resolve_files(files, told)] == [b"\0s", b"c"]


@pytest.mark.parametrize(
    ("told", "error", "words"),
    [
        (known(), NotFound, r"secret key \(s1\) not found: it was removed"),
        (
            known(SecretSpec(name="key", driver=Driver(name="vault"))),
            InvalidParameter,
            "secret driver vault",
        ),
        (
            known(SecretSpec(name="key", data=b"x", templating=Driver(name="jinja"))),
            InvalidParameter,
            "template driver jinja: there is only golang",
        ),
        (
            known(SecretSpec(name="key", data=b"{{x}}", templating=Driver(name="golang"))),
            InvalidParameter,
            'the template calls "x"',
        ),
    ],
)
def test_what_is_not_there_is_named(told, error, words):
    with pytest.raises(error, match=words):
        resolve_files(file_references(ContainerSpec(secrets=[secret()])), told)


def test_a_template_reads_the_other_files_by_their_target():
    spec = ContainerSpec(secrets=[secret()], configs=[config()])
    files = file_references(spec, TemplateContext(fields={"Task": {"Slot": "2"}}, env=["A=b"]))
    text = b'{{env "A"}} {{secret "key"}} {{.Task.Slot}}'
    told = known(
        SecretSpec(name="key", data=b"pw"),
        ConfigSpec(name="conf", data=text, templating=Driver(name="golang")),
    )
    assert [file.data for file in resolve_files(files, told)] == [b"pw", b"b pw 2"]
    missing = ConfigSpec(name="conf", data=b'{{secret "no"}}', templating=Driver(name="golang"))
    with pytest.raises(InvalidParameter, match="no secret with the target no"):
        resolve_files(files, known(SecretSpec(name="key", data=b"pw"), missing))
