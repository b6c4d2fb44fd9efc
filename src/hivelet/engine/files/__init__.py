"""Files of this node's containers, running or not: `docker cp`, `diff`, `export`, `commit`."""
