"""REST as the protos describe it, in both directions: the gateway reads requests with it, the SDK writes
them.

Nothing here needs a server or gRPC: `rules` knows the routes, `request` binds path, query and body to
messages and back, `codec` turns messages into JSON and back, `problem` does it with errors.
"""
