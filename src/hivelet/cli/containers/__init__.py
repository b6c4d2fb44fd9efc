"""`hivelet run` and all else that is done to containers by hand: a module for each kind of thing, and what they share."""
