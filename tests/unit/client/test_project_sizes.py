"""Sizes of a project's images and annotations on the command line."""

from annotateforge.api.dataset.v1.project_pb2 import BoxAreaCount, BoxSizeCount, ImageSizeCount, ProjectStats
from annotateforge.client.command.project_sizes import area_rows, size_facts


def test_the_most_frequent_sizes_are_told_and_the_rest_is_counted() -> None:
    stats = ProjectStats(
        image_count=1010,
        image_sizes=[
            ImageSizeCount(width=w, height=10, image_count=n) for w, n in ((4, 1000), (3, 4), (2, 3), (1, 2))
        ],
        box_sizes=[
            BoxSizeCount(min_width=1, min_height=2, annotation_count=1),
            BoxSizeCount(min_width=64, min_height=32, annotation_count=9),
        ],
    )
    assert size_facts(stats) == {
        "image sizes": "4 × 10 (1,000), 3 × 10 (4), 2 × 10 (3), others (3)",
        "most boxes": "64-91 × 32-45 pixels",
    }
    assert size_facts(ProjectStats()) == {}


def test_areas_are_shown_by_octave_without_a_gap() -> None:
    areas = [
        BoxAreaCount(min_share=2**-5, annotation_count=3),
        BoxAreaCount(min_share=2**-4.5, annotation_count=7),
        BoxAreaCount(min_share=2**-3, annotation_count=5),
    ]
    assert area_rows(areas) == [
        ["3.1 % to 6.2 %", "10", "█" * 30],
        ["6.2 % to 12 %", "0", ""],
        ["12 % to 25 %", "5", "█" * 15],
    ]
