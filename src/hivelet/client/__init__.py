"""A small client of the Docker Engine API, for hivelet's own commands: it drives hivelet and real Docker engines alike.

Built on the standard library's `http.client`, because a command line is judged by its first 300 ms: importing this package
takes about 40 ms, docker-py's `APIClient` 130 to 165 ms on the same machine (it brings requests and urllib3). Answers are
left as the JSON they are. `address` finds the daemon, `transport` speaks HTTP, `streams` reads what has no end, `engine` knows
the routes.
"""
