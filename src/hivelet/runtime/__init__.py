"""What a node needs to run a container: images, the OCI runtime, its monitor and the logs."""
