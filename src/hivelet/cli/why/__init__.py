"""What stands between a service and its replica count: `explain` and `advice` decide (pure), `show` words it, `reading` asks the daemon."""
