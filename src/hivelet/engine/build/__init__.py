"""Builds of images on this node: their context, their place in the network, their cache."""
