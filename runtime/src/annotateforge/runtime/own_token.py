"""The token with which a process calls others in its own name."""

import time
from datetime import timedelta

from annotateforge.runtime.auth import Role, issue_token

LIFETIME = timedelta(hours=1)


class OwnToken:
    """A token source for `open_channel`: signs a token and renews it at half its life."""

    def __init__(self, secret: str, role: Role, subject: str) -> None:
        """`secret` is the installation's; `subject` names the process, such as "service:gateway"."""
        self._secret = secret
        self._role = role
        self._subject = subject
        self._signed = ""
        self._renew_at = 0.0

    def __call__(self) -> str:
        """The token for a call that is made now."""
        if time.monotonic() >= self._renew_at:
            self._signed = issue_token(self._secret, self._role, self._subject, LIFETIME)
            self._renew_at = time.monotonic() + LIFETIME.total_seconds() / 2
        return self._signed
