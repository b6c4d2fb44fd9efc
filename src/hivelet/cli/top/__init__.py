"""`hivelet stack top`: what services and tasks use at this moment. `usage` and `table` are pure, `reading` asks the daemon, `screen` shows."""
