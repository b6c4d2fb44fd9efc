"""What is read of running containers and of the machine's devices: counters, processes."""
