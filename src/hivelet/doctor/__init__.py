"""What `hivelet doctor` knows: whether this machine has what hivelet needs, and the way out where it has not.

The one part that looks at the machine from the command line's side, with or without a daemon. One module for each matter:
a frozen dataclass of facts, and a pure function that turns them into findings. `reading` and `probes` gather the facts,
`repair` carries out what is safe, `examine` puts them together.
"""
