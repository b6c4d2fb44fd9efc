"""Other programs' firewalls on this host: what of them drops our packets, and how each is asked to let them pass.

The only place that ever touches a rule outside of our own table. README.md has the reasons and the rules as they are.
`tables` and `passes` are pure, `door` reads and carries out, `keeper` keeps what was added from getting lost.
"""
