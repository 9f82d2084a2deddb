"""Tokens for the installation of a data directory."""

import os
from datetime import timedelta
from pathlib import Path

from annotateforge.client.errors import ClientError
from annotateforge.local.installation import Installation
from annotateforge.runtime.auth import Role, issue_token


def create_token(data_dir: Path, role: str, subject: str, lifetime: timedelta) -> str:
    """Sign a token with ANNOTATEFORGE_SECRET, or with the secret of the data directory.

    ValueError for a role that is none; ClientError where there is no installation.
    """
    if role not in tuple(Role):
        raise ValueError(f"{role!r} is no role; choose one of {', '.join(Role)}.")
    secret = os.environ.get("ANNOTATEFORGE_SECRET")
    if not secret:
        if not (data_dir / "secret").is_file():
            raise ClientError(
                f"There is no installation in {data_dir}. Run `annotateforge up` once, name its --data-dir, "
                "or set ANNOTATEFORGE_SECRET."
            )
        secret = Installation(data_dir).secret()
    return issue_token(secret, Role(role), subject, lifetime)
