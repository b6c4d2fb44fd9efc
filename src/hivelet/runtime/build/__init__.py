"""Images built from Dockerfiles: buildah builds, hivelet's image store has the result.

The way of a build::

    context ── extract ──┐                     our image store ── base.py ──→ buildah's storage (the layer cache)
    Dockerfile ─ parse ──┴→ plan ─→ commands ─→ run (own namespaces) ─→ narrate ─→ Docker's words
                                                 └→ the image ── export.py ──→ our image store

`dockerfile`, `words`, `plan`, `commands`, `narrate` and `cache` are pure; `storage` and `run` are the edges.
"""
