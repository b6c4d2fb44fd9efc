"""From a loaded stack file to what the Docker Engine API takes, just as `docker stack deploy` would send it. Pure.

`services.service_specs`, `networks.network_requests`, `cluster_files.secret_specs` and `config_specs` are the whole of a stack; names
get the stack's name in front, and everything its label. Beyond Docker: `depends_on` travels in a label, the `host_ip` of ports is
kept, `tmpfs` becomes mounts, networks keep gateway and ranges, restart, secrets and configs take the forms of today's specification,
limits outside of `deploy` count where it has none, and host settings (`hivelet.compose.host`) travel in the container spec.
"""
