"""The managing side of a swarm: the loops that turn services into running tasks, and the validated way in.

`Manager(store, clock)` with `start()` and `stop()` runs all loops; `Manager.dispatcher` is what an agent talks to;
`controlapi.ControlApi` is behind the API's `SwarmBackend`. The pipeline is the tree: `orchestrator` makes tasks, `allocator` gives
them addresses, `scheduler` a node, `dispatcher` hands them to the node's agent, `reaper` forgets them. Loops meet only in the store;
each is `Decisions` (pure) turned by a `runner.Runner`.
"""
