"""Class names of YOLO data sets: data.yaml of ultralytics, obj.names of darknet, classes.txt of labelling
tools.
"""

from dataclasses import dataclass

import yaml

from annotateforge.dataset.imports.members import Member
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree, extension, folders

NAME_LISTS = frozenset(
    ("classes.txt", "obj.names", "labels.names", "_darknet.labels", "predefined_classes.txt")
)
_LARGEST_FILE = 1 << 20
_MOST_CLASSES = 100_000
_YAML_ERRORS = (yaml.YAMLError, RecursionError, ValueError)
"""RecursionError and ValueError, also UnicodeError, are what hostile files make of nesting and bytes."""


@dataclass(frozen=True, slots=True)
class ClassNames:
    """The class names that one file gives."""

    file: str
    names: dict[int, str]
    """Name by class id."""
    has_keypoints: bool = False
    """Labels carry key points after the box (`kpt_shape` in data.yaml)."""


def find_class_names(tree: Tree, report: Report) -> list[ClassNames]:
    """All files of the archive that name classes, the outermost first; what cannot be read goes to the
    report.
    """
    found = []
    for member in tree.having("yaml", "yml", "names", "txt", "labels"):
        name = member.name.rsplit("/", 1)[-1].lower()
        if extension(name) in ("yaml", "yml"):
            names = _read_yaml(tree, member, report)
        elif name in NAME_LISTS or extension(name) == "names":
            names = _read_list(tree, member, report)
        else:
            continue
        if names is not None and names.names:
            found.append(names)
    return sorted(found, key=lambda names: (len(folders(names.file)), names.file))


def class_names_for(label_path: str, found: list[ClassNames]) -> ClassNames | None:
    """The class names that hold for a label file: those of the innermost folder around it, else the outermost
    of all.
    """
    around = [
        names for names in found if folders(label_path)[: len(folders(names.file))] == folders(names.file)
    ]
    if around:
        return max(
            around, key=lambda names: (len(folders(names.file)), extension(names.file) in ("yaml", "yml"))
        )
    return found[0] if found else None


def _read_yaml(tree: Tree, member: Member, report: Report) -> ClassNames | None:
    content = tree.read(member, _LARGEST_FILE)
    if content is None:
        return None
    try:
        document = _loaded(content)
    except _YAML_ERRORS as error:
        mark = getattr(error, "problem_mark", None)
        report.warn(
            "LABEL_FILE_MALFORMED",
            member.name,
            "It is not YAML that can be read, so its class names are not known.",
            "Mend the file; data.yaml needs a list or a mapping called names.",
            line=mark.line + 1 if mark is not None else 0,
        )
        return None
    if not isinstance(document, dict):
        return None
    names = document.get("names")
    if isinstance(names, list):
        by_id = dict(enumerate(names))
    elif isinstance(names, dict):
        by_id = {int(key): name for key, name in names.items() if _is_id(key)}
    else:
        return None
    if len(by_id) > _MOST_CLASSES or not all(isinstance(name, str) for name in by_id.values()):
        return None
    named = {key: name.strip() for key, name in sorted(by_id.items())}
    return ClassNames(member.name, named, has_keypoints="kpt_shape" in document)


def _loaded(content: bytes) -> object:
    """The document of a YAML file. Raises _YAML_ERRORS."""
    # Scalars stay text: merge keys and base-60 numbers make hours of work out of a small file, and `no` is a
    # fine name for a class.
    try:
        return yaml.load(content, yaml.BaseLoader)
    except _YAML_ERRORS:
        # path: "C:\\Users\\me" is no YAML, and the paths do not matter.
        if b"\\" not in content:
            raise
        return yaml.load(content.replace(b"\\", b"/"), yaml.BaseLoader)


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10


def _read_list(tree: Tree, member: Member, report: Report) -> ClassNames | None:
    content = tree.read(member, _LARGEST_FILE)
    if content is None:
        return None
    text = content.decode("utf-8-sig", errors="replace")
    if "\ufffd" in text:
        report.warn(
            "LABEL_FILE_MALFORMED",
            member.name,
            "It is not UTF-8; the class names came in with \ufffd in the place of what could not be read.",
            "Save the file as UTF-8 and import into a new project.",
            line=text[: text.index("\ufffd")].count("\n") + 1,
        )
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > _MOST_CLASSES:
        return None
    return ClassNames(member.name, {index: line.strip() for index, line in enumerate(lines)})
