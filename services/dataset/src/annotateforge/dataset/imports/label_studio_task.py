"""One task of Label Studio: from its JSON to the regions of the annotation that counts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotateforge.dataset.imports.json_stream import JsonPath

_LABELS = "labels"
_BARE_KINDS = frozenset(("rectangle", "polygon", "ellipse", "brush", "keypoint", "bitmask", "vector"))
_IMAGE_KEYS = ("image", "img", "photo", "picture", "url")


@dataclass(frozen=True, slots=True)
class Region:
    """A result that is drawn on the image."""

    kind: str
    """Such as "rectangle", without the "labels" that its type may end with."""
    value: Any
    """As it is written: coordinates in percent."""
    labels: list[str]
    path: JsonPath
    """Below the task."""
    stated_size: tuple[Any, Any] | None
    """Width and height of the image, as the result states them."""
    is_turned_image: bool
    """The image was turned in Label Studio when this was drawn."""


@dataclass(slots=True)
class Task:
    """What a task says about one image."""

    references: list[str]
    """What may name the image, the likeliest first."""
    regions: list[Region] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    """Classes of the whole image."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many of what does not count, by its plural."""
    left_of_others: int = 0
    """Annotations of the same image that were not read."""


def parse_task(written: Mapping[str, Any]) -> Task:
    """The task of an element of an export, in the form "JSON" or "JSON-MIN"."""
    annotations = written.get("annotations", written.get("completions"))
    if isinstance(annotations, list):
        return _full_task(written, annotations, "annotations" if "annotations" in written else "completions")
    return _brief_task(written)


def _full_task(written: Mapping[str, Any], annotations: list[Any], key: str) -> Task:
    data = written.get("data")
    task = Task(_references(data if isinstance(data, dict) else {}))
    upload = written.get("file_upload")
    if isinstance(upload, str) and upload:
        task.references.append(upload)
    valid = []
    for index, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            task.left_out["annotations without a result"] += 1
        elif annotation.get("was_cancelled"):
            task.left_out["skipped annotations"] += 1
        else:
            valid.append((index, annotation))
    predictions = written.get("predictions")
    if isinstance(predictions, list) and predictions:
        task.left_out["predictions"] += len(predictions)
    if valid:
        index, chosen = max(valid, key=_rank)
        task.left_of_others = len(valid) - 1
        _take(task, (key, index, "result"), chosen["result"])
    return task


def _rank(numbered: tuple[int, Mapping[str, Any]]) -> tuple[bool, str, int]:
    """Ground truth before others, then the newest."""
    index, annotation = numbered
    return annotation.get("ground_truth") is True, str(annotation.get("updated_at") or ""), index


def _take(task: Task, path: JsonPath, results: list[Any]) -> None:
    """Take the results of one annotation."""
    named: dict[str, list[str]] = {}
    bare = set()
    drawn = set()
    for result in results:
        if isinstance(result, dict) and isinstance(result.get("id"), str):
            identity, kind = result["id"], str(result.get("type"))
            named.setdefault(identity, []).extend(_labels_of(result.get("value")))
            if kind in _BARE_KINDS:
                bare.add(identity)
            if kind in _BARE_KINDS or kind.removesuffix(_LABELS) in _BARE_KINDS:
                drawn.add(identity)
    for index, result in enumerate(results):
        written = result if isinstance(result, dict) else {}
        kind = written["type"] if isinstance(written.get("type"), str) else ""
        identity = written["id"] if isinstance(written.get("id"), str) else ""
        value = written.get("value")
        if kind == "choices" and not _is_drawn(value):
            task.choices += _texts(value.get("choices")) if isinstance(value, dict) else []
        elif kind == _LABELS and identity in bare:
            # Only the labels of a shape that stands beside it.
            continue
        elif identity in drawn and kind not in _BARE_KINDS and not kind.endswith(_LABELS):
            task.left_out["answers about single shapes"] += 1
        else:
            labels = named.get(identity, []) if kind in _BARE_KINDS else _labels_of(value)
            task.regions.append(_region(kind, value, labels, (*path, index), written))


def _brief_task(written: Mapping[str, Any]) -> Task:
    """A task of the form JSON-MIN: data, and regions by the names of their controls."""
    task = Task(_references(written))
    choice = written.get("choice")
    task.choices += _texts(choice.get("choices") if isinstance(choice, dict) else [choice])
    for name, items in written.items():
        for index, item in enumerate(items if isinstance(items, list) else ()):
            kind = next((key for key in item if key.endswith(_LABELS)), "") if isinstance(item, dict) else ""
            if kind or _is_drawn(item):
                task.regions.append(_region(kind, item, _labels_of(item), (name, index), item))
    return task


def _region(kind: str, value: Any, labels: list[str], path: JsonPath, written: Mapping[str, Any]) -> Region:
    bare = kind.removesuffix(_LABELS) or _kind_of(value)
    size = (written.get("original_width"), written.get("original_height"))
    return Region(
        bare, value, labels, path, None if None in size else size, bool(written.get("image_rotation"))
    )


def _kind_of(value: Any) -> str:
    """The kind of a shape of which only labels tell: by what describes it."""
    if not isinstance(value, dict):
        return ""
    for key, kind in (
        ("points", "polygon"),
        ("radiusX", "ellipse"),
        ("rle", "brush"),
        ("height", "rectangle"),
    ):
        if key in value:
            return kind
    return "keypoint" if "x" in value else ""


def _is_drawn(value: Any) -> bool:
    return isinstance(value, dict) and not {"x", "points", "rle"}.isdisjoint(value)


def _labels_of(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [label for key in value if key.endswith(_LABELS) for label in _texts(value[key])]


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str) and text] if isinstance(value, list) else []


def _references(data: Mapping[str, Any]) -> list[str]:
    return list(_ordered_references(data))


def _ordered_references(data: Mapping[str, Any]) -> Iterator[str]:
    named = [data[key] for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    yield from named or (
        value for value in data.values() if isinstance(value, str) and "." in value and len(value) < 4096
    )
