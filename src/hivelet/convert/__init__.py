"""Docker Engine API JSON to objects and back, one file for each noun. Pure: no clock, no I/O."""
