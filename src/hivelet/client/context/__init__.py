"""A folder as the context of a build: what `.dockerignore` leaves of it, as a tar that is written as it is sent."""
