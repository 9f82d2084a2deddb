"""How large a project's images and annotations are, in words and bars."""

from collections.abc import Mapping, Sequence
from math import log2

from annotateforge.api.dataset.v1 import project_pb2
from annotateforge.client.command.output import Cell

_LISTED = 3
_LONGEST_BAR = 30


def size_facts(stats: project_pb2.ProjectStats) -> Mapping[str, str]:
    """The most frequent sizes of images and of boxes; empty where there are none."""
    facts = {}
    if stats.image_sizes:
        listed = [
            f"{each.width} × {each.height} ({each.image_count:,})" for each in stats.image_sizes[:_LISTED]
        ]
        others = stats.image_count - sum(each.image_count for each in stats.image_sizes[:_LISTED])
        facts["image sizes"] = ", ".join(listed) + (f", others ({others:,})" if others else "")
    if stats.box_sizes:
        usual = max(stats.box_sizes, key=lambda each: each.annotation_count)
        facts["most boxes"] = f"{_side(usual.min_width)} × {_side(usual.min_height)} pixels"
    return facts


def area_rows(areas: Sequence[project_pb2.BoxAreaCount]) -> list[list[Cell]]:
    """A row for each octave of shares of the image's area from the least to the greatest, with a bar."""
    counts: dict[int, int] = {}
    for each in areas:
        octave = int(log2(each.min_share) // 1)
        counts[octave] = counts.get(octave, 0) + each.annotation_count
    most = max(counts.values())
    return [
        [
            f"{_percent(2.0**octave)} to {_percent(2.0 ** (octave + 1))}",
            f"{counts.get(octave, 0):,}",
            "█" * round(_LONGEST_BAR * counts.get(octave, 0) / most),
        ]
        for octave in range(min(counts), max(counts) + 1)
    ]


def _side(least: float) -> str:
    return f"{least:.0f}-{least * 2**0.5:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
