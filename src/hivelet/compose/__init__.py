"""From a `docker-compose.yml` to the service, network, secret and config specs of a stack.

The way of a file: `files` reads it, `yaml_reader` keeps every position, `interpolate` fills in variables, `validate` holds
it against the tables of `grammar`, `normalise` brings short forms into long ones, `merge` lays several files over each
other, `model` types the result, `to_spec` turns it into what the Docker Engine API takes. `load` is the way as a whole.
Nothing here talks to a daemon. What must equal the docker CLI's `stack config` and `stack deploy` is tested against it.
"""
