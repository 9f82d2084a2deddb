"""Signing in through an OpenID Connect provider: authorization codes with PKCE (OpenID Connect Core 1.0)."""
