import subprocess
import sys
from pathlib import Path

MANY_PACKS = """
import hashlib, resource, sys
from pathlib import Path
from annotateforge.runtime import packs
from annotateforge.runtime.open_files import allow_open_files

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 512))
if sys.argv[2] == "allow":
    allow_open_files()
packs.PACK_BYTES = 1
folder = Path(sys.argv[1])
(folder / "incoming").mkdir()
opened = packs.Packs(folder / "packs", folder / "incoming")
for number in range(100):
    data = str(number).encode()
    opened.put([(hashlib.sha256(data).hexdigest(), data)])
print(len(opened.digests()))
"""


def many_packs(folder: Path, how: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", MANY_PACKS, str(folder), how],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_store_with_more_packs_than_files_are_open_at_first_goes_on(tmp_path: Path) -> None:
    for how in ("allow", "leave"):
        (tmp_path / how).mkdir()
    assert many_packs(tmp_path / "allow", "allow").stdout == "100\n"
    assert "Too many open files" in many_packs(tmp_path / "leave", "leave").stderr
