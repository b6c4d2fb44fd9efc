"""Random requests made from the API's description, sent to a daemon, and held against that description."""
