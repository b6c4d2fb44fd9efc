"""Bringing a stack into being: what its file asks for (`wanted`), what is there (`reading`), the difference as a value
(`decide`, `plan`), that value as text (`show`), and doing exactly it (`apply`). All but `reading` and `apply` are pure.
"""
