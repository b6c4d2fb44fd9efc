"""Where a packet goes: an evaluator of rulesets as data, for tests of the way of a packet.

- `ruleset.parse_ruleset` text as we render it, or as `nft list` prints it, to tables, chains and statements
- `expressions.Evaluator` statements against one packet
- `tracer.Tracer` the hooks of netfilter in their order, connection tracking and routing included

What always holds: a word that is not understood is an error, never skipped. `tests/edge/network/test_tracer.py` holds the
answers against the kernel's.
"""
