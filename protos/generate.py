"""Generates protos/gen from the protos: messages, gRPC code, type stubs and the descriptor set.

`python protos/generate.py` does nothing when the protos, this program and the compilers are those of the last
run; `--force` generates in any case. A proto that does not compile leaves protos/gen as it was.
"""

import argparse
import hashlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

PROTO_ROOT = Path(__file__).resolve().parent
GENERATED = PROTO_ROOT / "gen"
STAMP = GENERATED / ".stamp"
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
COMPILERS = ("grpcio-tools", "mypy-protobuf", "googleapis-common-protos")


def proto_files(root: Path) -> list[str]:
    """Return the project's own protos below `root`, as sorted relative POSIX paths."""
    return sorted(path.relative_to(root).as_posix() for path in root.glob("annotateforge/**/*.proto"))


def compile_image(root: Path, image: Path) -> None:
    """Write the FileDescriptorSet of all protos below `root` to `image`, imports and comments included."""
    _protoc(root, [f"--descriptor_set_out={image}", "--include_imports", "--include_source_info"])


def generate(force: bool = False) -> bool:
    """Bring protos/gen up to date; return whether anything had to be generated.

    Raises CalledProcessError when protoc refuses a proto; its message is on stderr.
    """
    fingerprint = _fingerprint()
    if not force and STAMP.is_file() and STAMP.read_text() == fingerprint:
        return False
    with tempfile.TemporaryDirectory(prefix=".gen-", dir=PROTO_ROOT) as scratch:
        fresh = Path(scratch)
        arguments = [
            f"--python_out={fresh}",
            f"--grpc_python_out={fresh}",
            f"--mypy_out=quiet:{fresh}",
            # All servers and clients are grpc.aio; only_async spares them unions with the sync API.
            f"--mypy_grpc_out=quiet,only_async:{fresh}",
        ]
        arguments += [
            f"--plugin={name}={_plugin(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
        ]
        _protoc(PROTO_ROOT, arguments)
        compile_image(PROTO_ROOT, fresh / "annotateforge/api/descriptors.binpb")
        _make_packages(fresh / "annotateforge/api")
        _install(fresh, GENERATED)
    STAMP.write_text(fingerprint)
    return True


def _protoc(root: Path, arguments: Iterable[str]) -> None:
    files = proto_files(root)
    if not files:
        raise SystemExit(f"There is no proto below {root}.")
    includes = [root, _directory_of("grpc_tools") / "_proto", _directory_of("google.api").parent.parent]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        *(f"-I{path}" for path in includes),
        *arguments,
        *files,
    ]
    subprocess.run(command, check=True)


def _directory_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The package {package} is not installed; `make .venv` installs it.")
    return Path(next(iter(spec.submodule_search_locations)))


def _plugin(name: str) -> Path:
    """Return the plugin's executable, from its distribution: an isolated build has it beside no python."""
    for file in importlib.metadata.files("mypy-protobuf") or ():
        if file.name in {name, f"{name}.exe"}:
            return Path(str(file.locate())).resolve()
    raise SystemExit(f"{name} is not installed; `make .venv` installs it.")


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for compiler in COMPILERS:
        digest.update(f"{compiler}=={importlib.metadata.version(compiler)}\n".encode())
    for path in [Path(__file__), *(PROTO_ROOT / file for file in proto_files(PROTO_ROOT))]:
        digest.update(f"{path.relative_to(PROTO_ROOT)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _make_packages(root: Path) -> None:
    """Make regular, typed packages of `root` and what is below; `annotateforge` itself stays a namespace."""
    for directory in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (directory / "__init__.py").write_text(
            f'"""Generated from protos/{directory.relative_to(root.parents[1])}."""\n'
        )
    (root / "py.typed").touch()


def _install(fresh: Path, target: Path) -> None:
    """Make `target` hold exactly the files of `fresh`, each replaced atomically: others may be importing."""
    wanted = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    for path in sorted(wanted):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / path, target / path)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(target) not in wanted and "__pycache__" not in path.parts:
            path.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--force", action="store_true", help="generate even where nothing has changed")
    if generate(force=parser.parse_args().force):
        print("protos/gen generated")
