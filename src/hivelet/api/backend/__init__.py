"""What the API asks of the swarm and of the node's engine: the two doors behind every route.

`SwarmBackend` is the cluster's (services, tasks, nodes, secrets, configs, overlay networks), `EngineBackend` this
node's (containers, images, volumes, networks of scope local). Rules that hold for both:

* `ref` is an id, a name or a unique prefix of an id, in that order; nothing found raises `NotFound`, more than one
  match `InvalidParameter`, both in Docker's words.
* On a node that is not in a swarm, every method of `SwarmBackend` but `status`, `init_swarm`, `join_swarm`,
  `unlock_swarm` and `swarm_events` raises `NotASwarmManager`; `networks` and events are merged by the API.
* Lists are whole and in the order of creation; filtering and sorting for an answer are `hivelet.convert`'s.
* A method that returns an `AsyncIterator` does nothing before the first step, and ends its work when it is closed.
* `version` is the number the client read the object at; any other current number raises `OutOfSequence`.
"""
