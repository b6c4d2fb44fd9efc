"""Files of containers as archives: copied out, copied in, compared with the image, and made a layer.

What always holds: no path leads out of the root that it is looked up in (`hivelet.runtime.images.inroot`), whatever the
container does meanwhile; and what is read or written is never more than a piece of it in memory.
"""
