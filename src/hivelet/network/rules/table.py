"""A family's whole ruleset as text. Pure."""

from __future__ import annotations

from hivelet.network.family import IPV4, Family
from hivelet.network.rules.base_chains import base_chains
from hivelet.network.rules.fixed_chains import fixed_chains
from hivelet.network.rules.patience import patience_object
from hivelet.network.rules.ruleset import Fragment, elements_of, render_chains, tagged
from hivelet.network.rules.sets import containers


def render_table(
    fragment: Fragment, *, patience: bool = True, family: Family = IPV4, table: str = ""
) -> str:
    """A family's whole ruleset as one transaction that replaces our table (or that other one), whatever was in it.

    The table is declared before it is deleted, so that the deletion cannot fail where there was none. `patience` False
    leaves out what a kernel without connection tracking timeouts refuses.
    """
    table = table or family.table
    lines = [f"table {table}", f"delete table {table}", f"table {table} {{"]
    for container in containers(family):
        lines.append(f"  {container.kind} {container.name} {{")
        lines.append(f"    {container.definition};")
        lines.append(f'    comment "{container.purpose}";')
        if items := elements_of(fragment, container.name):
            lines.append("    elements = {")
            lines.append(",\n".join(f"      {item}" for item in items))
            lines.append("    }")
        lines.append("  }")
    lines += patience_object(family) if patience and family.tracks else ()
    lines += render_chains(fragment)
    for name, rules in fixed_chains(family).items():
        lines += [f"  chain {name} {{", *(f"    {tagged(rule)}" for rule in rules), "  }"]
    for chain in base_chains(family, patience=patience):
        lines.append(f"  chain {chain.name} {{")
        lines.append(f"    {chain.hook}; policy accept;")
        lines += [f"    {tagged(rule)}" for rule in chain.rules]
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"
