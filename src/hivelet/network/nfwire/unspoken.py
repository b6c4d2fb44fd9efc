"""What is said in a language that is not all of nft's. Pure."""

from __future__ import annotations


class NotSpoken(ValueError):
    """Words that are not known here: their script is for nft's library."""
