"""The worker's side of a swarm: keeps a session with the dispatcher and runs the tasks assigned to this node.

`Agent(executor, dispatcher, node_id, clock)` with `start()` and `stop()` is all that the daemon wires. `stop` leaves
every container running; the next agent on the node adopts them.

- `agent.Agent` the Agent itself; `loop` one session; `diff` assignments against what is known (pure); `reporter` statuses, coalesced
- `worker` all tasks of the node; `runner` one task, one step per call
- `exec.step` what comes next and what an outcome means (pure); `exec.controller` the contract with what runs containers

The agent writes nothing but task statuses past ASSIGNED, and only by `Dispatcher.update_task_status`.
"""
