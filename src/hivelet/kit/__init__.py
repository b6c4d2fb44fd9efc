"""Tools that know nothing of Swarm; the kit could be a library of its own.

Admission rule: nothing here imports from the rest of hivelet but `errors`.
"""
