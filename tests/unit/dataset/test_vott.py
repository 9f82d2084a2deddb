"""VoTT's JSON, one file per image or one for all, and its tables."""

import json
from pathlib import Path
from typing import Any

import pytest

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports import vott
from tests.unit.dataset.archives import Files, png, read_archive, zipped

CORNERS = [{"x": 1, "y": 2}, {"x": 9, "y": 2}, {"x": 9, "y": 8}]


def asset(name: str, *regions: dict[str, Any], width: int = 40, height: int = 30) -> dict[str, Any]:
    return {
        "asset": {
            "format": "png",
            "id": "1",
            "name": name,
            "path": f"file:/home/me/pictures/{name}",
            "size": {"width": width, "height": height},
        },
        "regions": list(regions),
        "version": "2.2.0",
    }


def rectangle(*tags: str) -> dict[str, Any]:
    box = {"left": 3.5, "top": 4, "width": 10, "height": 6}
    return {"id": "r", "type": "RECTANGLE", "tags": list(tags), "boundingBox": box, "points": CORNERS}


def test_a_target_folder_and_the_export_of_all_give_each_region_once(tmp_path: Path) -> None:
    polygon = {"id": "p", "type": "POLYGON", "tags": ["leaf"], "points": CORNERS}
    one = asset("a.png", rectangle("cup", "full"), polygon)
    files: Files = {
        "a.png": png(40, 30),
        "b.png": png(40, 30),
        "target/1-asset.json": json.dumps(one),
        "target/2-asset.json": json.dumps(asset("b.png", rectangle("cup"))),
        "target/vott-json-export/x-export.json": json.dumps(
            {
                "name": "x",
                "tags": [{"name": "cup"}],
                "assets": {"1": one, "2": asset("b.png", rectangle("cup"))},
            }
        ),
    }
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("vott", 4)
    cup, full, leaf = read.annotations["a.png"]
    assert cup.coordinates == full.coordinates == pytest.approx((3.5, 4, 13.5, 10))
    assert (cup.class_label, full.class_label, leaf.class_label) == ("cup", "full", "leaf")
    assert leaf.type is AnnotationType.POLYGON
    assert leaf.coordinates == pytest.approx((1, 2, 9, 2, 9, 8))
    assert read.reasons == {"LABELS_REPEATED": 1}


def test_tables_are_told_from_other_csv(tmp_path: Path) -> None:
    table = '"image","xmin","ymin","xmax","ymax","label"\n"a.png",1.5,2,7,8,"cup"\n"a.png",1,2\n'
    read = read_archive(zipped({"a.png": png(40, 30), "x-export.csv": table}), tmp_path)
    assert (read.format, read.annotations["a.png"][0].coordinates) == ("vott", (1.5, 2, 7, 8))
    assert [(problem.reason, problem.line) for problem in read.problems] == [("LABEL_MALFORMED", 3)]


def test_sizes_points_and_untagged_regions_are_told(tmp_path: Path) -> None:
    point = {"type": "POINT", "tags": ["x"], "points": CORNERS[:1]}
    files: Files = {
        "a.png": png(40, 30),
        "1-asset.json": json.dumps(asset("a.png", rectangle(), point, {"type": "RECTANGLE"}, width=80)),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.count == 1
    assert read.reasons == {
        "IMAGE_SIZE_DIFFERS": 1,
        "LABEL_WITHOUT_CLASS": 1,
        "SHAPE_UNSUPPORTED": 1,
        "LABEL_MALFORMED": 1,
    }


@pytest.mark.parametrize("remembered", [0, 1000])
def test_a_table_that_names_more_images_than_are_remembered_is_read_to_its_end(
    remembered: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vott, "_MOST_REMEMBERED", remembered)
    rows = [*("z.png,1,1,5,5,cup",) * 3, *("a.png,1,1,5,5,cup", "a.png,2,2,6,6,cup")]
    files: Files = {"a.png": png(40, 30), "t.csv": "\n".join(["image,xmin,ymin,xmax,ymax,label", *rows])}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count) == ("vott", 2)
    assert read.reasons == {"IMAGE_MISSING": 1 if remembered else 3}


def test_an_archive_is_read_by_the_format_that_labels_most_of_its_own_images(tmp_path: Path) -> None:
    rows = [f"{number}.png,1,1,5,5,cup" for number in range(9)]
    files: Files = {
        **{f"{name}.png": png(40, 30) for name in "abc"},
        "t.csv": "\n".join(["image,xmin,ymin,xmax,ymax,label", "a.png,1,1,5,5,cup", *rows]),
        **{f"{name}.txt": "0 0.5 0.5 0.2 0.2" for name in "ab"},
    }
    assert read_archive(zipped(files), tmp_path).format == "yolo"
