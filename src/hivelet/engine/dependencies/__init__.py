"""Secrets and configs: which ones this node knows, and the files that containers read them from."""
