"""Fakes and tools for tests, shipped so that whoever builds on hivelet can use them too.

- `clock.ManualClock` a clock moved by hand; `virtual_time.run_virtual` an event loop whose time jumps to the next timer
- `runtime.FakeExecutor` containers that follow a script instead of running
- `cluster.SimulatedCluster` the whole control plane in one process, checked after every commit
- `packets.tracer.Tracer` where a packet goes under a ruleset, as data
"""
