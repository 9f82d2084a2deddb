"""Content-Disposition (RFC 6266): under which name a client saves a content."""

import re
from urllib.parse import quote

_UNSAFE = re.compile(r'[^ -~]|["\\%;]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Encodings that every browser shows as an image and executes nothing from; SVG is none of them.
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff"})


def content_disposition(filename: str, content_type: str) -> str:
    """The header's value for a file name of any characters.

    Folders are dropped. Other than ASCII goes into `filename*` (RFC 8187); old clients read an approximation
    from `filename`. Images are shown, everything else is saved.
    """
    kind = "inline" if content_type in _SHOWN else "attachment"
    name = _CONTROL.sub("", filename.replace("\\", "/").rpartition("/")[2]).strip()
    if not name or name in {".", ".."}:
        return kind
    plain = _UNSAFE.sub("_", name)
    if plain == name:
        return f'{kind}; filename="{name}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
