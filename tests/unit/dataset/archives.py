"""Makes archives for tests, and reads them as an import would, without a database."""

import base64
import gzip
import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image

from annotateforge.dataset.annotations import Annotation, defects
from annotateforge.dataset.conversion import convert, is_convertible
from annotateforge.dataset.decoding import DecodingMemory
from annotateforge.dataset.images import ImageLimits, ImageRefused
from annotateforge.dataset.imports import FORMATS
from annotateforge.dataset.imports.containers import ArchiveLimits
from annotateforge.dataset.imports.detection import choose_format
from annotateforge.dataset.imports.label_format import Size
from annotateforge.dataset.imports.opening import Spool, open_container
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree
from annotateforge.dataset.inspection import inspect
from annotateforge.dataset.problems import Problem

Files = Mapping[str, bytes | str | Path]
LIMITS = ArchiveLimits(members=20_000, unpacked_bytes=1 << 32, ratio=200)
IMAGE_LIMITS = ImageLimits(size_bytes=64 << 20, pixels=50_000_000)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAAHIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5j"
    "bHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBp"
    "eGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAHptZGF0AAAAbigBrxOA9UU941XBs/sF0d+nYIrAATa5H37rfOZs"
    "SIFsIYPw8uPwNdP/knXBzjewZFp6TNuR0Fv26f3HfZ2OHyq56cmZSUCSBTFjghw3S7k9PwWPn8HGSV2Q1NGmBUFh0fXkXSh1VXfg"
    "PTXNUJqA"
)
"""A gradient of 64 × 48 pixels, which nothing that is installed could encode."""


@dataclass
class Read:
    """What an archive was read as."""

    format: str = ""
    images: dict[str, str] = field(default_factory=dict)
    """Image class by path, of the images that could be read."""
    annotations: dict[str, list[Annotation]] = field(default_factory=dict)
    """Valid annotations by path of the image."""
    classes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(map(len, self.annotations.values()))

    @property
    def labels(self) -> Counter[str]:
        return Counter(each.class_label for found in self.annotations.values() for each in found)

    @property
    def reasons(self) -> Counter[str]:
        return Counter(problem.reason for problem in self.problems)


def png(width: int = 8, height: int = 6) -> bytes:
    return encoded("PNG", width, height)


def encoded(kind: str, width: int = 8, height: int = 6, **options: object) -> bytes:
    target = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(target, kind, **options)
    return target.getvalue()


def zipped(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, _bytes(content))
    return target.getvalue()


def tarred(files: Files, *, pack: bool = False) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(_bytes(content))
            archive.addfile(entry, io.BytesIO(_bytes(content)))
    return gzip.compress(target.getvalue()) if pack else target.getvalue()


def files_below(*folders: Path, under: str = "") -> dict[str, Path]:
    """All files below folders, each folder by its own name."""
    return {
        f"{under}{path.relative_to(folder.parent).as_posix()}": path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_archive(
    content: bytes | Path, folder: Path, *, wanted: str = "auto", limits: ArchiveLimits = LIMITS
) -> Read:
    """Read an archive; `folder` is where unpacked files may lie."""
    spool = Spool(folder, keep_free_bytes=0)
    with ExitStack() as opened:
        file: IO[bytes] = (
            opened.enter_context(content.open("rb")) if isinstance(content, Path) else io.BytesIO(content)
        )
        report = Report()
        tree = Tree(open_container(file, limits, spool, opened))
        labels = choose_format(tree, FORMATS, wanted, report)(tree, report)
        read = Read(format=labels.name)
        sizes: dict[str, Size] = {}
        for member, image_class in labels.images():
            data = tree.read(member, 64 << 20) or b""
            try:
                if is_convertible(data):
                    converted = convert(data, IMAGE_LIMITS, DecodingMemory())
                    report.inform("IMAGE_CONVERTED", member.name, converted.remark, "Nothing.")
                    data = converted.data
                facts = inspect(data, IMAGE_LIMITS)
            except ImageRefused as refusal:
                report.warn(refusal.reason, member.name, refusal.message, refusal.hint)
                continue
            sizes[member.name] = Size(facts.width, facts.height)
            read.images[member.name] = image_class
        for label in labels.labels(sizes):
            if not defects(label.annotation):
                read.annotations.setdefault(label.image, []).append(label.annotation)
            else:
                report.warn("ANNOTATION_INVALID", label.file, "", "", line=label.line)
        read.classes = report.classes
        read.problems = report.in_order()
        return read


def _bytes(content: bytes | str | Path) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    return content.encode() if isinstance(content, str) else content
