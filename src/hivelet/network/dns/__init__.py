"""Service discovery: which names mean which addresses (`records`, pure) and the resolvers that answer (`server`)."""
