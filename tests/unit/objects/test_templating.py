"""Templates in services, secrets and configs."""

import pytest

from hivelet.errors import InvalidParameter
from hivelet.objects.common import Annotations, Platform
from hivelet.objects.container import Mount, VolumeDriverConfig, VolumeOptions
from hivelet.objects.node import Node, NodeDescription
from hivelet.objects.task import ContainerSpec, Task
from hivelet.objects.templating import expand_container, expand_payload, template_context

NODE = Node(
    id="n1",
    description=NodeDescription(
        hostname="box", platform=Platform(architecture="x86_64", os="linux")
    ),
)
TASK = Task(
    id="t1",
    service_id="s1",
    slot=3,
    service_annotations=Annotations(name="app_web", labels={"com.x.team": "blue"}),
)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{{.Service.ID}}-{{.Service.Name}}", "s1-app_web"),
        ('{{index .Service.Labels "com.x.team"}}', "blue"),
        ('{{index .Service.Labels "absent"}}.', "."),
        ("{{.Node.ID}} {{.Node.Hostname}}", "n1 box"),
        ("{{.Node.Platform.Architecture}}/{{.Node.Platform.OS}}", "x86_64/linux"),
        ("{{.Task.ID}}.{{.Task.Slot}}", "t1.3"),
        ("{{.Task.Name}}", "app_web.3.t1"),
        ('{{join "-" .Service.Name .Task.ID}}', "app_web-t1"),
        ("{{$x := .Service.Name}}{{$x}}", "app_web"),
        ('{{if eq .Task.Slot "3"}}third{{end}}', "third"),
    ],
)
def test_a_field_is_filled_in_everywhere(text, filled):
    driver = VolumeDriverConfig(name="local", options={"device": text})
    mount = Mount(
        source=text,
        target="/data",
        volume_options=VolumeOptions(labels={"l": text}, driver_config=driver),
    )
    spec = ContainerSpec(image="i", hostname=text, env=[f"A={text}"], mounts=[mount])
    done = expand_container(spec, template_context(TASK, NODE))
    assert done.hostname == filled
    assert done.env == [f"A={filled}"]
    (mounted,) = done.mounts
    assert mounted.source == filled
    assert mounted.volume_options.labels == {"l": filled}
    assert mounted.volume_options.driver_config.options == {"device": filled}
    assert (done is spec) == ("{{" not in text)


def test_the_slot_of_a_global_task_is_its_node():
    context = template_context(TASK.replaced(slot=0), NODE)
    assert expand_container(ContainerSpec(hostname="{{.Task.Slot}}"), context).hostname == "n1"


@pytest.mark.parametrize(
    "text",
    [
        "{{.Task.Nothing}}",
        "{{nosuch}}",
        "{{.Task.ID",
        '{{env "A"}}',
        "{{.service.name}}",
        '{{pad "a" 3 3}}',
        '{{len (printf "%900000d%900000d" 1 1)}}',
        "{{range 5}}x{{end}}",
    ],
)
def test_what_cannot_be_filled_in_is_refused_by_field(text):
    with pytest.raises(InvalidParameter, match="expanding hostname failed: "):
        expand_container(ContainerSpec(hostname=text), template_context(TASK, NODE))


def test_a_secret_or_config_reads_the_environment_and_other_files():
    context = template_context(TASK, NODE, ["DB=rabbit", "E=a=b"])
    files = {"secret": {"pw": "hunter2"}.__getitem__, "config": {"c": "conf"}.__getitem__}
    text = '{{env "DB"}}:{{secret "pw"}}@{{config "c"}} {{env "E"}} {{env "no"}}.{{.Task.Slot}}'
    assert expand_payload("config x", text, context, files) == "rabbit:hunter2@conf a=b .3"
