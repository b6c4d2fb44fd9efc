"""Archives, images, registries and names that somebody made to harm, given to a daemon."""
