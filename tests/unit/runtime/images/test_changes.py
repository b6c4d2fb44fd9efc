import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.container import ContainerConfig, Healthcheck
from hivelet.runtime.images.changes import apply_changes, split_words


@pytest.mark.parametrize(
    ("change", "config"),
    [
        ('CMD ["a", "b"]', ContainerConfig(cmd=["a", "b"])),
        ("CMD echo $HOME", ContainerConfig(cmd=["/bin/sh", "-c", "echo $HOME"])),
        ("cmd [not json", ContainerConfig(cmd=["/bin/sh", "-c", "[not json"])),
        ('ENTRYPOINT ["/x"]', ContainerConfig(entrypoint=["/x"])),
        ('ENV A=1 B="x y" C=\\ d', ContainerConfig(env=["A=1", "B=x y", "C= d"])),
        ("ENV A some words", ContainerConfig(env=["A=some words"])),
        ("ENV A=1\nENV A=2", ContainerConfig(env=["A=2"])),
        ("EXPOSE 80 53/udp", ContainerConfig(exposed_ports={"80/tcp": {}, "53/udp": {}})),
        ("EXPOSE 80-81", ContainerConfig(exposed_ports={"80/tcp": {}, "81/tcp": {}})),
        ("LABEL a=1 b='2 3'", ContainerConfig(labels={"a": "1", "b": "2 3"})),
        ("USER web:www", ContainerConfig(user="web:www")),
        ("VOLUME /a /b", ContainerConfig(volumes={"/a": {}, "/b": {}})),
        ('VOLUME ["/a b"]', ContainerConfig(volumes={"/a b": {}})),
        ("WORKDIR /a/../b", ContainerConfig(working_dir="/b")),
        ("WORKDIR /a\nWORKDIR b", ContainerConfig(working_dir="/a/b")),
        ("STOPSIGNAL SIGINT", ContainerConfig(stop_signal="SIGINT")),
        ("ONBUILD RUN x", ContainerConfig(on_build=["RUN x"])),
        ('SHELL ["/b"]\nCMD x', ContainerConfig(shell=["/b"], cmd=["/b", "x"])),
        ("HEALTHCHECK NONE", ContainerConfig(healthcheck=Healthcheck(test=["NONE"]))),
        (
            "HEALTHCHECK --interval=1m30s --retries=2 CMD curl x",
            ContainerConfig(
                healthcheck=Healthcheck(
                    test=["CMD-SHELL", "curl x"], interval=90_000_000_000, retries=2
                )
            ),
        ),
        ("# nothing", ContainerConfig()),
    ],
)
def test_instructions_change_the_config(change, config):
    assert apply_changes(ContainerConfig(), [change]) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RUN rm -rf /", "RUN is not a valid change command"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "not of the form NAME=VALUE"),
        ("EXPOSE many", "invalid containerPort: many"),
        ("EXPOSE 0", "invalid containerPort"),
        ("EXPOSE 70000", "invalid containerPort"),
        ("SHELL x", "JSON form"),
        ("HEALTHCHECK maybe", "must be NONE"),
        ("HEALTHCHECK --interval=soon CMD x", "not a duration"),
    ],
)
def test_others_are_refused(change, message):
    with pytest.raises(InvalidParameter) as caught:
        apply_changes(ContainerConfig(), [change])
    assert message in caught.value.message


def test_quotes_must_close():
    with pytest.raises(InvalidParameter, match="unbalanced"):
        split_words('a "b')
