"""The calls of the API, service by service, in terms of the generated messages."""
