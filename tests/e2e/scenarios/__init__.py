"""Scenes of a swarm's life, played on the real Docker Swarm (recorded) and on hivelet (compared with the record)."""
