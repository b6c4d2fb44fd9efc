"""Further processes in running containers, and their streams."""
