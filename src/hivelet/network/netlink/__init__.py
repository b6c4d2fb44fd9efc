"""The door to the kernel's links, addresses, routes and rules.

`nlmsg` is the wire format, `links`, `addresses`, `routes` and `source_rules` build requests and read what is there, and `door`
sends them: many at a time, acknowledged one by one, idempotent where the kernel lets them be. All calls block for microseconds to a
few milliseconds and belong into the one thread of a `network.kernel.Kernel`, which also is the only thread that may enter another
namespace.
"""
