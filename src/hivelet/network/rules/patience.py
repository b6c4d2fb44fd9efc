"""How long a balanced connection may be silent. Pure."""

from __future__ import annotations

from hivelet.network.family import Family

PATIENT = "patient"

_PATIENCE = 2_000_000
"""Seconds for which a balanced TCP connection may be silent: 23 days, near what the kernel can count in a tick counter
at 1000 Hz. Its default is 5 days, and hosts are tuned down to minutes; then idle pools of AMQP or database
connections break without a word."""


def patience_object(family: Family) -> tuple[str, ...]:
    """The timeout of balanced connections, as it stands inside a table block."""
    return (
        f"  ct timeout {PATIENT} {{",
        "    protocol tcp;",
        f"    l3proto {family.word};",
        f"    policy = {{ established : {_PATIENCE} }};",
        "  }",
    )


PATIENCE_RULE = f'ct status dnat meta l4proto tcp ct timeout set "{PATIENT}"'
"""Before the source is chosen, which ends the way through the chain; a timeout can be set until the connection is confirmed."""
