"""REST, WebSocket and OpenAPI in front of the services; no state of its own."""
