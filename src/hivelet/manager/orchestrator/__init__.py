"""Decides which tasks there are: how many, replaced when they end, replaced when their service changes, removed with it.

Pure, save `loop`: `slots` what a slot is · `replicated`, `global_mode` how many · `restart` whether and when an ended task is
followed by another · `enforce` which tasks must leave their node · `progress` how an update stands · `update` its next step ·
`jobs`, `job_progress` the same for jobs · `reconcile` puts these together for one slot and one service.

Writes: tasks (creates them, moves their desired state forward), a service's `update_status` and, for a rollback, its `spec`;
deletes a service whose last task is gone. It never touches a task's status.
"""
