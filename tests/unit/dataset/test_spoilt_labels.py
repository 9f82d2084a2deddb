"""Label files with any bytes changed, cut or put in are read or reported, and nothing is raised."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dataset.archives import png, read_archive, zipped

PICTURE = png(20, 10)
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": [9, 3, 7, 3]}},
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [10, 20], "counts": "93100"}},
            {"image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3, 4, 5, 6]], "bbox": [1, 2, 3, 4]},
        ],
    }
)
NDJSON = (
    '{"type": "dataset", "class_names": {"0": "cell"}}\n{"type": "image", "file": "a.png", "width": 20,'
    ' "height": 10, "annotations": {"boxes": [[0, 0.5, 0.5, 0.2, 0.2]], "classification": [0]}}\n'
)
KITTI = "Car 0.00 0 -1.57 1.5 2 3 4.25 1.5 1.6 3.9 2.1 1.4 8.4 0.01\n" * 2
OPEN_IMAGES = "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\na,cell,1,0.1,0.2,0.1,0.2,0\n"
VOC = (
    "<annotation><filename>a.png</filename><object><name>x</name><polygon><x1>1</x1><y1>1</y1><x2>5</x2><y2>1"
    "</y2><x3>5</x3><y3>5</y3></polygon><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax>"
    "</bndbox></object></annotation>"
)
LABELBOX = json.dumps(
    {
        "data_row": {"external_id": "a.png"},
        "media_attributes": {"width": 20, "height": 10},
        "projects": {
            "p": {
                "labels": [
                    {
                        "annotations": {
                            "objects": [
                                {"name": "x", "bounding_box": {"top": 1, "left": 1, "height": 2, "width": 2}}
                            ],
                            "classifications": [{"radio_answer": {"name": "y"}}],
                        }
                    }
                ]
            }
        },
    }
)
VOTT = json.dumps(
    {
        "asset": {"name": "a.png", "size": {"width": 20, "height": 10}},
        "regions": [
            {
                "type": "POLYGON",
                "tags": ["x"],
                "points": [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 5}],
            }
        ],
    }
)
CREATEML = json.dumps(
    [
        {
            "image": "a.png",
            "annotations": [{"label": "x", "coordinates": {"x": 5, "y": 5, "width": 2, "height": 2}}],
        }
    ]
)
FILES = {
    "a.txt": KITTI,
    "coco.json": COCO,
    "x.ndjson": NDJSON,
    "a.xml": VOC,
    "wider.txt": "a.png\n1\n1 2 3 4 0 0 0 0 0 0\n",
    "open_images.csv": OPEN_IMAGES,
    "automl.csv": "TRAIN,gs://x/a.png,cell,0.1,0.1,0.2,0.1,0.2,0.3,0.1,0.3\n",
    "plain.csv": (
        'file,class,bbox,geometry,width,height\na.png,x,"[1,2,3,4]","POLYGON ((1 2, 3 4, 5 6))",20,10\n'
    ),
    "labelbox.ndjson": LABELBOX,
    "vott.json": VOTT,
    "vott.csv": "image,xmin,ymin,xmax,ymax,label\na.png,1,2,3,4,cell\n",
    "createml.json": CREATEML,
    "data.yaml": "names: [cell]\npath: C:\\x\n",
}
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.binary(max_size=4)), min_size=1, max_size=6)


def spoilt(text: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, put_in in edits:
        at = int(place * len(text))
        text = text[:at] + put_in + text[at + length :]
    return text


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(edits=EDITS)
def test_spoilt_labels_are_reported_and_raise_nothing(
    name: str, edits: list[tuple[float, int, bytes]]
) -> None:
    beside = {"a.txt": "0 0.5 0.5 1 1\n"} if name == "data.yaml" else {}
    archive = zipped({"a.png": PICTURE, **beside, name: spoilt(FILES[name].encode(), edits)})
    with tempfile.TemporaryDirectory() as folder:
        read = read_archive(archive, Path(folder))
    assert list(read.images) == ["a.png"]
