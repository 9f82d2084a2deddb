"""The token with which this service calls the registry."""

import time
from datetime import timedelta

from annotateforge.inference.settings import Settings
from annotateforge.runtime.auth import Role, issue_token

SUBJECT = "service:inference"
LIFETIME = timedelta(hours=1)


class ServiceToken:
    """Answers a token of the role worker: the one of the settings, or one that it signs and renews at half
    its life.
    """

    def __init__(self, settings: Settings) -> None:
        self._given = settings.registry_token.get_secret_value() if settings.registry_token else None
        self._secret = settings.secret.get_secret_value()
        self._signed = ""
        self._renew_at = 0.0

    def __call__(self) -> str:
        """The token for a call that is made now."""
        if self._given is not None:
            return self._given
        if time.monotonic() >= self._renew_at:
            self._signed = issue_token(self._secret, Role.WORKER, SUBJECT, LIFETIME)
            self._renew_at = time.monotonic() + LIFETIME.total_seconds() / 2
        return self._signed
