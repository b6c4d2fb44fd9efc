"""Volumes of the driver `local`, and everything else that is mounted into a container."""
