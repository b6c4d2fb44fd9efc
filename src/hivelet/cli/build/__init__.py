"""Building images from the command line: what is sent, and how the answer is shown."""
