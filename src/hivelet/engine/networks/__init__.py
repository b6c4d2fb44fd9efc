"""Networks of this node, containers' places in them and in those of the swarm, and what the API asks of both."""
