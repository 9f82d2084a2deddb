"""The worker's token, which may be replaced on the disk while it runs."""

from pathlib import Path

import structlog

from annotateforge.trainer.worker.settings import Settings

log = structlog.get_logger()


class TokenFile:
    """Reads a token from a file, again whenever the file has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._token: str | None = None

    def __call__(self) -> str | None:
        """The token; the last one that could be read while the file cannot, or holds none."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                # One that is being written may be empty for a moment.
                self._token = self._path.read_text().strip() or self._token
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            log.warning("cannot read the token", path=str(self._path), error=str(error))
        return self._token


class FixedToken:
    """A token that stays."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self) -> str:
        return self._token


def token_source(settings: Settings) -> TokenFile | FixedToken:
    """What answers the token for each call."""
    if settings.worker_token_file is not None:
        return TokenFile(settings.worker_token_file)
    assert settings.worker_token is not None
    return FixedToken(settings.worker_token.get_secret_value())
