"""One module per place the project runs at; each starts from `base`."""
