"""Backups of a running node, and their restoration: checked and put beside the state first, taken over at a start of the parts."""
