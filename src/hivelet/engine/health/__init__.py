"""Health checks: what follows from their results (pure), and who runs them."""
