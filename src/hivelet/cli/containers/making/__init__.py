"""Making a container of the options of `run` and `create`: what they are, what each means, what the daemon is asked for."""
