"""Lints the protos and checks that they break nothing that the branch main promises; `make lint` runs it.

buf judges descriptor images that the installed protoc compiles, of the working tree and of main, so it needs
neither its registry nor copies of the protos that ours import.
"""

import io
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

from generate import PROTO_ROOT, compile_image, proto_files

REPOSITORY = PROTO_ROOT.parent
BUF = Path(sysconfig.get_path("scripts"), "buf")
MAIN = ("main", "origin/main")


def main() -> int:
    """Return 0 when both checks pass; what buf found is on stdout."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "image.binpb")
        compile_image(PROTO_ROOT, image)
        failed = _buf("lint", image)
        against = _image_of_main(Path(scratch))
        if against is not None:
            failed |= _buf("breaking", image, "--against", against)
    return int(failed)


def _buf(*arguments: str | Path) -> bool:
    return subprocess.run([BUF, *arguments], cwd=REPOSITORY, check=False).returncode != 0


def _image_of_main(scratch: Path) -> Path | None:
    """Compile main's protos; None, with the reason on stderr, where there are none to compare with."""
    for ref in MAIN:
        command = ["git", "archive", "--format=zip", ref, "protos"]
        try:
            archive = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        except FileNotFoundError:
            break
        if archive.returncode == 0:
            with zipfile.ZipFile(io.BytesIO(archive.stdout)) as files:
                files.extractall(scratch / "main")
            root = scratch / "main" / "protos"
            if not proto_files(root):
                break
            image = scratch / "main.binpb"
            compile_image(root, image)
            return image
    print("buf breaking: skipped, there is no branch main with protos to compare with.", file=sys.stderr)
    return None


if __name__ == "__main__":
    sys.exit(main())
