"""The API's own description (OpenAPI 3.1): what each route says of itself, and the document that is made of it."""
