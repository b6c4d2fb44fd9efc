"""One node's data plane: bridges, sandboxes, balancing and isolation rules, service discovery.

`plane.NetworkPlane` is the only thing the rest of hivelet calls, with the pure `ipam`. Everything it makes lives in
the kernel or in programs of their own, carries hivelet's names, outlives hiveletd, and is adopted at its next start.
"""
