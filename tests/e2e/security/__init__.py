"""That what runs here is kept where it belongs: containers, requests, secrets, archives. See docs/threat-model.md."""
