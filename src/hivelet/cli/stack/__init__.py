"""`hivelet stack …`: deploy, look at and remove stacks."""
