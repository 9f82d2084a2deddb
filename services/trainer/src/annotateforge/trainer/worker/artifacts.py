"""The files that belong to a trained model, found in ultralytics' folder."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = "best.pt"

_WEIGHTS_DIR = "weights"
_TABLES = ("results.csv", "args.yaml")
_PLOTS = ("*.png", "*.jpg")
_TYPES = {".pt": "application/octet-stream", ".yaml": "application/yaml", ".csv": "text/csv"}


@dataclass(frozen=True)
class ArtifactFile:
    """A file to register."""

    path: Path
    content_type: str
    size: int
    sha256: str


def find_artifacts(run_dir: Path) -> list[ArtifactFile]:
    """best.pt, last.pt, results.csv, args.yaml and the plots, as far as they are there; best.pt comes first.

    FileNotFoundError without best.pt.
    """
    weights = run_dir / _WEIGHTS_DIR
    paths = [weights / WEIGHTS]
    others = [weights / "last.pt", *(run_dir / name for name in _TABLES)]
    paths += [path for path in others if path.is_file()]
    paths += sorted(path for pattern in _PLOTS for path in run_dir.glob(pattern))
    return [_read(path) for path in paths]


def _read(path: Path) -> ArtifactFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    content_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return ArtifactFile(path, content_type, path.stat().st_size, sha256)
