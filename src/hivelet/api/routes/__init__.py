"""The routes of the API, one file for each of Docker's nouns; each ends in its own flat table `ROUTES`."""
