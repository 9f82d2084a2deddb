"""The service's SQL, and nothing but SQL: one module per kind of rows."""
