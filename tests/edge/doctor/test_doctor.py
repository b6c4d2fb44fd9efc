"""`hivelet doctor` on a real machine in namespaces of its own, with and without a daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hivelet.objects.endpoint import BridgeNetwork

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

HIVELET = Path(sys.executable).with_name("hivelet")
NETWORK = BridgeNetwork(
    id="webnet0000000000000000000",
    name="web",
    subnet="10.0.1.0/24",
    gateway="10.0.1.1",
)


def examine(tmp_path, before, *options, env=None):
    """The doctor in a network of its own, after `before`; its findings by name, its exit code, what it said."""
    words = f"{HIVELET} -H unix://{tmp_path}/no.sock doctor --format json"
    words += f" --root {tmp_path}/root --run {tmp_path}/run {' '.join(options)}"
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", f"{before}\n{words}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **(env or {})},
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {finding["Name"]: finding for finding in found}, done.returncode, done.stderr


READY = "ip link set lo up; echo 1 >/proc/sys/net/ipv4/ip_forward"


def test_a_machine_as_it_should_be(tmp_path):
    findings, code, errors = examine(tmp_path, READY)
    serious = [f for f in findings.values() if f["Level"] == "serious"]
    assert serious == []
    assert code == 0
    assert errors == ""
    assert findings["daemon"]["Level"] == "note"
    assert "runs containers here" in findings["runtime"]["Seen"]
    for name in ("nftables-nat", "nftables-fib", "nftables-numgen", "links", "forwarding"):
        assert findings[name]["Level"] == "ok"


def test_a_switch_is_set(tmp_path):
    findings, _, _ = examine(tmp_path, "echo 0 >/proc/sys/net/ipv4/ip_forward")
    assert findings["forwarding"]["Level"] == "note"
    assert findings["forwarding"]["Repairs"] == ["sysctl -w net.ipv4.ip_forward=1"]
    findings, _, errors = examine(tmp_path, "echo 0 >/proc/sys/net/ipv4/ip_forward", "--fix")
    assert findings["forwarding"]["Level"] == "ok"
    assert "repairing: sysctl -w net.ipv4.ip_forward=1" in errors


def test_a_firewall_that_drops(tmp_path):
    networks = tmp_path / "run/network/networks"
    networks.mkdir(parents=True)
    (networks / f"{NETWORK.id}.json").write_bytes(msgspec.json.encode(NETWORK))
    before = f"{READY}; iptables -P FORWARD DROP"
    findings, code, _ = examine(tmp_path, before)
    assert findings["firewalls"]["Level"] == "serious"
    assert code == 1
    findings, code, errors = examine(tmp_path, before, "--fix", "; iptables -S >&2")
    assert findings["firewalls"]["Level"] == "ok"
    assert "-A HIVELET-FORWARD -i hv-+ -j ACCEPT" in errors


def test_routes_that_take_all_addresses(tmp_path):
    before = (
        f"{READY}; ip link add vpn type bridge; ip link set vpn up; ip route add 10.0.0.0/8 dev vpn"
    )
    findings, code, _ = examine(tmp_path, before)
    assert code == 1
    assert "10.0.0.0/8 (route through vpn)" in findings["addresses-services"]["Meaning"]


def test_subnets_of_both_families_are_in_use(tmp_path):
    before = (
        f"{READY}; ip link add hv-web type bridge; ip link set hv-web up;"
        "ip addr add 10.0.0.1/24 dev hv-web; ip addr add fd00::1/64 dev hv-web nodad"
    )
    findings, code, errors = examine(tmp_path, before)
    assert (code, errors) == (0, "")
    assert findings["addresses-services"]["Seen"] == (
        "the next subnet for services is 10.0.1.0/24; 1 in use in the default pools"
    )


def test_a_package_that_is_missing(tmp_path):
    """Every program is there but skopeo; apt-get is one that only notes what it is told."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for directory in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for program in Path(directory).iterdir():
            link = programs / program.name
            if program.name not in ("skopeo", "apt-get") and not link.is_symlink():
                link.symlink_to(program)
    apt = programs / "apt-get"
    apt.write_text('#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>"$0.log"\n')
    apt.chmod(0o755)
    env = {"PATH": str(programs)}
    findings, code, errors = examine(tmp_path, READY, "--fix", env=env)
    assert findings["package-skopeo"]["Level"] == "serious"
    assert code == 1
    assert "repairing: apt-get install" in errors
    log = Path(f"{apt}.log").read_text()
    assert log == "noninteractive install -y --no-install-recommends skopeo\n"


def test_in_words(tmp_path):
    done = subprocess.run(
        [
            # A namespace begins with what the host has set.
            *("unshare", "--net", "sh", "-c", 'sysctl -qw net.ipv4.ip_forward=0; exec "$0" "$@"'),
            *(str(HIVELET), "-H", f"unix://{tmp_path}/no.sock", "doctor", "--root", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "note  forwarding: net.ipv4.ip_forward is 0\n" in done.stdout
    assert "\n      sysctl -w net.ipv4.ip_forward=1\n" in done.stdout


def test_nothing_is_left(tmp_path):
    def traces():
        cgroups = sorted(str(p) for p in Path("/sys/fs/cgroup").glob("*/hivelet-doctor"))
        return cgroups, sorted(Path("/tmp").glob("hivelet-doctor.*"))

    findings, _, _ = examine(tmp_path, READY, "; nft list ruleset >&2")
    assert findings
    assert traces() == ([], [])
