"""The desired nftables ruleset as data: pure. `README.md` beside this file shows the way of a packet."""
