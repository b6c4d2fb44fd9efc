"""A private machine for a daemon under test: namespaces, real daemons, command lines, and traffic.

Used by the end-to-end tests and by the benchmarks. Nothing here is part of hivelet itself, and nothing it starts outlives
the `Machine` that it was started in.
"""
