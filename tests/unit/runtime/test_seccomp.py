import json

import pytest

from hivelet.errors import InvalidParameter
from hivelet.runtime.capabilities import DEFAULT_CAPABILITIES
from hivelet.runtime.seccomp import Subject, default_profile, load_profile
from hivelet.runtime.seccomp_filter import ANNOTATION, FilterCompiler

PLAIN = Subject(architecture="amd64", capabilities=frozenset(DEFAULT_CAPABILITIES), kernel=(6, 1))


def subject(**changes):
    given = {
        "architecture": "amd64",
        "capabilities": PLAIN.capabilities,
        "kernel": (6, 1),
        **changes,
    }
    return Subject(**given)


def allowed(profile):
    return {
        name
        for rule in profile["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")
        for name in rule["names"]
    }


def test_default_denies_with_eperm():
    profile = default_profile(PLAIN)
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def test_no_name_is_listed_twice():
    names = default_profile(PLAIN)["syscalls"][0]["names"]
    assert len(names) == len(set(names)) > 330


@pytest.mark.parametrize(
    "name", ["mount", "unshare", "setns", "bpf", "io_uring_setup", "keyctl", "kexec_load", "reboot"]
)
def test_dangerous_calls_are_not_allowed(name):
    assert name not in allowed(default_profile(PLAIN))


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("CAP_SYS_ADMIN", "mount"),
        ("CAP_SYS_ADMIN", "clone3"),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_SYS_TIME", "clock_settime64"),
        ("CAP_SYS_MODULE", "finit_module"),
        ("CAP_SYS_NICE", "mbind"),
        ("CAP_SYSLOG", "syslog"),
        ("CAP_BPF", "bpf"),
        ("CAP_PERFMON", "perf_event_open"),
        ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    ],
)
def test_a_capability_brings_its_calls(capability, name):
    assert name not in allowed(default_profile(PLAIN))
    with_it = subject(capabilities=PLAIN.capabilities | {capability})
    assert name in allowed(default_profile(with_it))


def test_clone_without_sys_admin_may_make_no_namespace():
    rules = [rule for rule in default_profile(PLAIN)["syscalls"] if rule["names"] == ["clone"]]
    assert rules[0]["args"] == [{"index": 0, "value": 0x7E020000, "op": "SCMP_CMP_MASKED_EQ"}]
    clone3 = [rule for rule in default_profile(PLAIN)["syscalls"] if rule["names"] == ["clone3"]]
    assert (clone3[0]["action"], clone3[0]["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_s390_has_the_flags_of_clone_second():
    rules = default_profile(subject(architecture="s390x"))["syscalls"]
    assert next(rule for rule in rules if rule["names"] == ["clone"])["args"][0]["index"] == 1


@pytest.mark.parametrize(
    ("architecture", "name", "native"),
    [("amd64", "arch_prctl", "SCMP_ARCH_X86_64"), ("arm64", "cacheflush", "SCMP_ARCH_AARCH64")],
)
def test_architectures_have_calls_of_their_own(architecture, name, native):
    profile = default_profile(subject(architecture=architecture))
    assert name in allowed(profile)
    assert profile["architectures"][0] == native
    other = "arm64" if architecture == "amd64" else "amd64"
    assert name not in allowed(default_profile(subject(architecture=other)))


def test_ptrace_needs_a_kernel_that_checks_it():
    assert "ptrace" in allowed(default_profile(PLAIN))
    assert "ptrace" not in allowed(default_profile(subject(kernel=(4, 7))))


def test_vsock_is_the_one_family_that_sockets_may_not_have():
    rules = [rule for rule in default_profile(PLAIN)["syscalls"] if rule["names"] == ["socket"]]
    assert rules[0]["args"] == [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]


CUSTOM = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"name": "write", "action": "SCMP_ACT_ALLOW", "args": []},
        {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["b"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_CHOWN"]}},
        {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["d"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
        {"names": ["e"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.9"}},
        {"names": ["f"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
        {
            "names": ["g"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 38,
            "includes": {"minKernel": "4.8"},
        },
    ],
}


def test_a_profile_of_the_users_is_reduced_to_what_applies():
    assert load_profile(json.dumps(CUSTOM), PLAIN) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["g"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        ],
    }


def test_an_empty_profile_is_no_filter():
    assert load_profile("{}", PLAIN) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not-json"),
        pytest.param("[]", id="not-an-object"),
        pytest.param(
            '{"defaultAction": "x", "syscalls": [{"action": "y"}]}', id="rule-without-name"
        ),
        pytest.param(
            '{"defaultAction": "x", "architectures": ["a"], "archMap": [{"architecture": "b"}]}',
            id="both-kinds",
        ),
    ],
)
def test_a_bad_profile_is_refused(text):
    with pytest.raises(InvalidParameter):
        load_profile(text, PLAIN)


def test_compiling_leaves_alone_what_it_does_not_understand():
    compiler = FilterCompiler()
    without: dict = {"linux": {}}
    assert compiler.precompiled(without) is without
    flags = {
        "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"], "syscalls": []}}
    }
    assert compiler.precompiled(flags) is flags
    strange = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY", "syscalls": []}}}
    assert compiler.precompiled(strange) is strange


def test_compiling_replaces_the_profile_by_code():
    spec = {
        "linux": {
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["uname", "no_such_call"], "action": "SCMP_ACT_ERRNO"}],
            }
        }
    }
    compiled = FilterCompiler().precompiled(spec)
    if compiled is spec:
        pytest.skip("no libseccomp here")
    assert "seccomp" not in compiled["linux"]
    assert compiled["annotations"][ANNOTATION]
    assert "seccomp" in spec["linux"]
