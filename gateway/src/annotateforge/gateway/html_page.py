"""HTML pages of the gateway: complete in themselves, without a script, and allowed to load nothing."""

import base64
import hashlib
import importlib.resources
import re
from functools import cache
from html import escape

from starlette.responses import HTMLResponse


@cache
def file_text(name: str) -> str:
    """A file beside the pages."""
    return importlib.resources.files("annotateforge.gateway").joinpath("pages", name).read_text("utf-8")


def html_page(title: str, body: str) -> HTMLResponse:
    """A page with the common style; nothing but that style is allowed to have any effect in it."""
    style = file_text("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return HTMLResponse(
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        headers=headers,
    )


def prose(text: str) -> str:
    """Descriptions as HTML: paragraphs, lists of lines that begin with a dash, and code in backticks."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        lines = block.split("\n")
        if all(line.startswith("- ") for line in lines):
            blocks.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        elif block:
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(blocks)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
