"""`hiveletd`: its configuration, and the only place where the parts are wired together."""
