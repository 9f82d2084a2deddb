"""The built web app: its files as Vite wrote them, held in memory, compressed beforehand.

Every address that is no file and that a browser asks for as a page answers index.html; the app's router takes
it from there. Nothing in it loads from elsewhere, and no style or script runs that is not the app's own.
"""

import hashlib
import mimetypes
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

BUILT = Path(__file__).with_name("static")
"""Where `make web` puts the app."""

_INDEX = "index.html"
_NONCE = "__CSP_NONCE__"
"""What Vite writes where the nonce belongs (html.cspNonce in web/vite.config.ts)."""
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""Content codings with the ends of the files' names, the smallest first."""
_ACCEPTED = re.compile(r"(?P<name>[a-z]+)(?:\s*;\s*q=(?P<q>[0-9]+(?:\.[0-9]*)?))?")
"""One element of accept-encoding."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_HASHED = "assets/"
"""Folder of the files that carry a digest of their content in their name."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the app."""

    media_type: str
    cache_control: str
    etag: str
    plain: bytes
    encoded: Mapping[str, bytes]
    """The same bytes by content coding."""


class WebApp:
    """Answers requests for the app's pages and files."""

    def __init__(self, directory: Path) -> None:
        """Read a built app; FileNotFoundError when there is none."""
        self._index = (directory / _INDEX).read_text("utf-8")
        self._assets = dict(_assets(directory))

    def serves(self, scope: Scope) -> bool:
        """Whether a request is for a file of the app, or for a page that its router may know."""
        path: str = scope["path"]
        if path[1:] in self._assets or path.startswith(f"/{_HASHED}"):
            return True
        return (
            scope["method"] in ("GET", "HEAD")
            and not path.startswith("/api/")
            and b"text/html" in dict(scope["headers"]).get(b"accept", b"")
        )

    async def serve(self, request: Request) -> Response:
        """Answer a file, or the page. HTTPException 404 for a file that this version of the app lacks."""
        path = request.url.path.removeprefix("/")
        asset = self._assets.get(path)
        if asset is not None:
            return _file(request, asset)
        if path.startswith(_HASHED):
            raise HTTPException(404)
        return self._page()

    def _page(self) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": _ASK_AGAIN,
        }
        return Response(self._index.replace(_NONCE, nonce), media_type="text/html", headers=headers)


def _assets(directory: Path) -> list[tuple[str, Asset]]:
    found = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if not path.is_file() or name == _INDEX or path.suffix in _ENCODINGS.values():
            continue
        plain = path.read_bytes()
        encoded = {
            coding: beside.read_bytes()
            for coding, end in _ENCODINGS.items()
            if (beside := path.with_name(path.name + end)).is_file()
        }
        asset = Asset(
            mimetypes.guess_type(name)[0] or "application/octet-stream",
            _FOREVER if name.startswith(_HASHED) else _ASK_AGAIN,
            f'"{hashlib.sha256(plain).hexdigest()[:32]}"',
            plain,
            encoded,
        )
        found.append((name, asset))
    return found


def _file(request: Request, asset: Asset) -> Response:
    headers = {
        "cache-control": asset.cache_control,
        "etag": asset.etag,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    coding = _coding(request.headers.get("accept-encoding", ""), asset)
    if coding is None:
        return Response(asset.plain, media_type=asset.media_type, headers=headers)
    headers["content-encoding"] = coding
    return Response(asset.encoded[coding], media_type=asset.media_type, headers=headers)


def _coding(accepted: str, asset: Asset) -> str | None:
    """The smallest form that the client takes; None for the plain bytes. What cannot be read is not taken."""
    named = {
        match["name"]
        for element in accepted.split(",")
        if (match := _ACCEPTED.fullmatch(element.strip())) and float(match["q"] or 1) > 0
    }
    return next((coding for coding in _ENCODINGS if coding in named and coding in asset.encoded), None)
