"""The blobs of a store's folder, from outside the service."""

from pathlib import Path

from annotateforge.runtime.blobs import blob_key
from annotateforge.runtime.pack_files import DELETED, PUT, read_records
from annotateforge.runtime.packs import Packs


def stored_digests(folder: Path) -> set[str]:
    """Digests of the blobs that are in files of their own or in packs."""
    found = {path.name for path in folder.glob("sha256/*/*")}
    for path in folder.glob("packs/*.pack"):
        try:
            records = read_records(path.with_suffix(".index").read_bytes())
        except FileNotFoundError:
            # Just made, and nothing is in it yet, or just removed with its last blob.
            continue
        deleted = set(records["offset"][records["kind"] == DELETED].tolist())
        found |= {
            record["digest"].ljust(32, b"\0").hex()
            for record in records[records["kind"] == PUT]
            if int(record["offset"]) not in deleted
        }
    return found


def take_out(folder: Path, sha256: str) -> Path:
    """Take a blob out of its pack; answers the file in which it would be if it were in one of its own."""
    Packs(folder / "packs", folder / "incoming").delete([sha256])
    path = folder / blob_key(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
