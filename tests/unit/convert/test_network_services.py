from hivelet.convert.network_services import Surroundings, encode_services
from hivelet.objects.common import Annotations
from hivelet.objects.engine import BackendTraffic
from hivelet.objects.service import Endpoint, EndpointVirtualIP, Service, ServiceSpec
from hivelet.objects.task import NetworkAttachment, PortConfig, Task, TaskState, TaskStatus

PORTS = [
    PortConfig(target_port=80, published_port=8080),
    PortConfig(target_port=81, published_port=8081, publish_mode="host"),
]


def service(name, *vips):
    endpoint = Endpoint(
        ports=PORTS, virtual_ips=[EndpointVirtualIP(network_id=n, addr=a) for n, a in vips]
    )
    return Service(id=f"{name}id", spec=ServiceSpec(name=name), endpoint=endpoint)


def task(n, of="web", *, state="running", desired="running"):
    return Task(
        id=f"t{n}",
        service_id=f"{of}id",
        service_annotations=Annotations(name=of),
        slot=n,
        node_id="n",
        status=TaskStatus(state=TaskState(state)),
        desired_state=TaskState(desired),
        networks=[
            NetworkAttachment(network_id="net", addresses=[f"10.0.1.{n + 2}/24", "fd00::3/64"]),
            NetworkAttachment(network_id="ingress", addresses=[f"10.0.0.{n + 2}/24"]),
        ],
    )


AROUND = Surroundings(endpoints={"web.1.t1": "e1"}, hosts={"n": "192.168.77.2"})
WEB = service("web", ("net", "10.0.1.2/24"), ("ingress", "10.0.0.2/24"))


def test_a_networks_services_have_dockers_shape():
    tasks = [task(1), task(2, desired="shutdown"), task(3, state="failed")]
    assert encode_services("net", [WEB], tasks, AROUND) == {
        "web": {
            "VIP": "10.0.1.2",
            "Ports": [],
            "LocalLBIndex": 0,
            "Tasks": [
                {
                    "Name": "web.1.t1",
                    "EndpointID": "e1",
                    "EndpointIP": "10.0.1.3",
                    "EndpointIPv6": "fd00::3",
                    "Info": {"Host IP": "192.168.77.2"},
                }
            ],
        }
    }


def test_ports_are_those_of_the_ingress_network():
    shown = encode_services("ingress", [WEB], [task(1)], Surroundings(ingress=True))
    assert shown["web"]["Ports"] == ["Target: 80, Publish: 8080"]


def test_a_service_without_a_vip():
    assert encode_services("net", [service("web")], [task(1)], AROUND)["web"]["VIP"] == "<nil>"


def test_services_elsewhere_are_not_there():
    assert encode_services("other", [WEB], [task(1)], AROUND) == {}


def test_where_tasks_stand_in_the_balancer_is_shown_on_request():
    traffic = {
        "t1": BackendTraffic(admitted=True, busy=2, idle=1),
        "t2": BackendTraffic(admitted=False, busy=1, idle=0),
        "t4": BackendTraffic(admitted=False, busy=0, idle=0),
    }
    tasks = [task(1), task(2, desired="shutdown"), task(3, state="failed"), task(4)]
    shown = encode_services("net", [WEB], tasks, Surroundings(traffic=traffic))["web"]["Tasks"]
    assert {each["Name"]: each["Info"] for each in shown} == {
        "web.1.t1": {"Host IP": "", "State": "in", "Connections": "2 busy, 1 idle"},
        "web.2.t2": {"Host IP": "", "State": "draining", "Connections": "1 busy, 0 idle"},
        "web.4.t4": {"Host IP": "", "State": "out", "Connections": "0 busy, 0 idle"},
    }
