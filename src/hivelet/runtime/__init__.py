"""What a node needs to run a container: images, the OCI runtime, its monitor and the logs.

How a caller runs one container::

    tree = read_cgroup_tree()                                       # cgroupfs
    facts = read_host_facts(tree)                                   # host
    runtime = await probe_runtime(run, cgroup_parent="/hivelet")    # oci
    containers = ConmonRuntime(runtime, "/usr/bin/conmon", tree, clock)   # conmon

    spec = build_oci_spec(OciInput(id=…, config=…, host=…, facts=facts, rootfs=…, cgroup_parent=…, netns=…))   # oci_spec
    await containers.create(id, spec, BundlePaths(bundle=…, log=…))  # commands
    await containers.start(id)
    status = await containers.wait(id)                              # ExitStatus(code, oom_killed, finished_at, error)
    await containers.delete(id)

After a restart of the daemon: `await containers.adopt(id, paths)` → `Running | Exited | Gone`, once per container.

Decided purely: `oci_spec`, `mounts`, `capabilities`, `seccomp`, `cgroups`, `commands`, `failures`, `logfile`. Edges: `conmon`
(who lives and who died), `oci` (calls crun or runc), `spawn`, `watch`, `processes`, `cgroupfs`, `host`, `logs`.
"""
