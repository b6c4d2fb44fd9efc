from hivelet.agent.exec.container import build_container, stop_grace_seconds
from hivelet.objects.common import SECOND, Annotations, Driver, NodeId, ServiceId, TaskId
from hivelet.objects.container import DeviceMapping, HostSettings
from hivelet.objects.node import Node
from hivelet.objects.task import (
    ContainerSpec,
    Limit,
    PortConfig,
    Privileges,
    ResourceRequirements,
    Task,
    TaskSpec,
)

NODE = Node(id=NodeId("n1"))


def make_task(spec=None, **changes):
    return Task(
        id=TaskId("t1"),
        service_id=ServiceId("s1"),
        service_annotations=Annotations(name="myapp_web"),
        slot=2,
        node_id=NodeId("n1"),
        spec=TaskSpec(container_spec=spec or ContainerSpec(image="web")),
        **changes,
    )


def test_name_and_labels_are_dockers():
    request = build_container(make_task(ContainerSpec(image="web", labels={"mine": "1"})), NODE)
    assert request.name == "myapp_web.2.t1"
    assert request.config.labels == {
        "mine": "1",
        "com.docker.swarm.node.id": "n1",
        "com.docker.swarm.service.id": "s1",
        "com.docker.swarm.service.name": "myapp_web",
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": "t1",
        "com.docker.swarm.task.name": "myapp_web.2.t1",
    }


def test_command_is_the_entrypoint_and_args_the_command():
    config = build_container(
        make_task(ContainerSpec(image="w", command=["a"], args=["b", "c"])), NODE
    ).config
    assert (config.entrypoint, config.cmd) == (["a"], ["b", "c"])
    bare = build_container(make_task(), NODE).config
    assert (bare.entrypoint, bare.cmd) == (None, None)


def test_limits_logging_hosts_and_security_reach_the_host_config():
    task = make_task(
        ContainerSpec(
            image="w",
            hosts=["10.0.0.1 db", "cache:10.0.0.2"],
            privileges=Privileges(no_new_privileges=True),
            stop_grace_period=3 * SECOND,
        )
    )
    spec = task.spec.replaced(
        resources=ResourceRequirements(limits=Limit(nano_cpus=5, memory_bytes=6, pids=7)),
        log_driver=Driver(name="json-file", options={"max-size": "1m"}),
    )
    task = task.replaced(spec=spec, ports=[PortConfig(target_port=80)])
    request = build_container(task, NODE)
    assert (request.host.nano_cpus, request.host.memory, request.host.pids_limit) == (5, 6, 7)
    assert request.host.extra_hosts == ["db:10.0.0.1", "cache:10.0.0.2"]
    assert request.host.security_opt == ["no-new-privileges"]
    assert request.host.log_config.config == {"max-size": "1m"}
    assert request.config.exposed_ports == {"80/tcp": {}}
    assert stop_grace_seconds(task) == 3
    assert stop_grace_seconds(make_task()) == 10


def test_host_settings_are_passed_on_as_they_are():
    spec = ContainerSpec(
        image="w",
        privileged=True,
        shm_size=1 << 20,
        ipc_mode="host",
        domainname="d",
        security_opt=["seccomp=unconfined"],
        privileges=Privileges(no_new_privileges=True),
        devices=[DeviceMapping(path_on_host="/dev/x", path_in_container="/dev/y")],
    )
    request = build_container(make_task(spec), NODE)
    assert request.config.domainname == "d"
    assert request.host.security_opt == ["no-new-privileges", "seccomp=unconfined"]
    for name in set(HostSettings.__struct_fields__) - {"security_opt"}:
        assert getattr(request.host, name) == getattr(spec, name), name


def test_swap_is_limited_together_with_memory():
    def host(memory, swap):
        limits = ResourceRequirements(limits=Limit(memory_bytes=memory), swap_bytes=swap)
        task = make_task()
        return build_container(task.replaced(spec=task.spec.replaced(resources=limits)), NODE).host

    assert host(64, 32).memory_swap == 96
    assert host(64, 0).memory_swap == 64
    assert host(64, -1).memory_swap == -1
    assert host(64, None).memory_swap == 0
    assert host(0, 32).memory_swap == 0
