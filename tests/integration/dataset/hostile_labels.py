"""Archives whose labels are damaged, made to fill memory, or full of numbers that are none."""

import json
import random

from tests.integration.dataset.hostile_case import MIB, PICTURE, Cases
from tests.unit.dataset.archives import Files, png

CASES = Cases()
refuse, report = CASES.refuse, CASES.report


def coco(annotation: object, name: str = "cell") -> Files:
    text = json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.png"}],
            "categories": [{"id": 1, "name": name}],
            "annotations": [annotation],
        }
    )
    return {**PICTURE, "coco.json": text}


def coco_box(*box: float, name: str = "cell") -> Files:
    return coco({"image_id": 1, "category_id": 1, "bbox": list(box)}, name)


def with_label(name: str, content: str | bytes) -> Files:
    return {**PICTURE, name: content}


def yolo(text: str | bytes) -> Files:
    return {**PICTURE, "data.yaml": "names: [cell]\n", "a.txt": text}


def voc(inside: str, before: str = "") -> Files:
    return with_label("a.xml", f"{before}<annotation><filename>a.png</filename>{inside}</annotation>")


def voc_box(*sides: str) -> str:
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{name}>{side}</{name}>" for name, side in zip(names, sides, strict=True))
    return f"<object><name>cell</name><bndbox>{box}</bndbox></object>"


report("COCO with NaN", coco_box(float("nan"), 1, 2, 2), "ANNOTATION_INVALID")
report("COCO with infinity", coco_box(1, 1, float("inf"), 2), "ANNOTATION_INVALID")
report("COCO with 1e308", coco_box(1e308, 1e308, 1e308, 1e308), "ANNOTATION_INVALID")
report("COCO with a box of less than no size", coco_box(9, 9, -5, -5), "ANNOTATION_INVALID")
report("COCO with half a character in a class", coco_box(1, 1, 5, 5, name="\ud800"), "ANNOTATION_INVALID")
report("COCO with a NUL in a class", coco_box(1, 1, 5, 5, name="a\0b"), "ANNOTATION_INVALID")
report("COCO with a class of a mebibyte", coco_box(1, 1, 5, 5, name="x" * MIB), "ANNOTATION_INVALID")
report(
    "COCO with a mask of ten billion pixels",
    coco(
        {
            "image_id": 1,
            "category_id": 1,
            "segmentation": {"size": [100_000, 100_000], "counts": [1, 5, 9_999_999_994]},
        }
    ),
    "MASK_UNSUPPORTED",
    "LABEL_MALFORMED",
)
report(
    "COCO with a mask of less than no pixels",
    coco({"image_id": 1, "category_id": 1, "segmentation": {"size": [30, 40], "counts": [-5, 1205]}}),
    "MASK_UNSUPPORTED",
    "LABEL_MALFORMED",
)
report(
    "COCO with a deeply nested object",
    with_label("coco.json", '{"images": [' + '{"a":' * 100_000),
    "LABEL_FILE_MALFORMED",
    "LABELS_NOT_RECOGNISED",
)
report(
    "COCO with a number of a million digits",
    with_label("coco.json", '{"images": [{"id": ' + "9" * MIB + "}]}"),
    "LABEL_FILE_MALFORMED",
    "LABELS_NOT_RECOGNISED",
)
report(
    "COCO in UTF-16",
    with_label("coco.json", str(coco_box(1, 1, 5, 5)["coco.json"]).encode("utf-16")),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "COCO after a byte order mark",
    {**PICTURE, "coco.json": "\ufeff" + str(coco_box(1, 1, 5, 5)["coco.json"])},
    annotations=1,
)
report(
    "COCO that is no UTF-8",
    with_label("coco.json", str(coco_box(1, 1, 5, 5)["coco.json"]).encode().replace(b"cell", b"c\xffll")),
    "LABEL_FILE_MALFORMED",
    "LABELS_NOT_RECOGNISED",
)
report("JSON of brackets", with_label("a.json", "[" * MIB), "LABELS_NOT_RECOGNISED", "LABEL_FILE_MALFORMED")
report(
    "COCO with a text of 65 MiB",
    lambda: with_label("coco.json", '{"images": [], "annotations": [], "info": "' + "x" * (65 * MIB) + '"}'),
    "LABEL_FILE_MALFORMED",
    "LABELS_NOT_RECOGNISED",
)
report(
    "COCO with 47 MiB of empty arrays beside its own",
    lambda: with_label(
        "coco.json",
        '{"info": {"a": [' + "[]," * (47 * MIB // 3) + '[]]}, "images": [{"id": 1, "file_name": "a.png"}]}',
    ),
    "LABEL_FILE_MALFORMED",
    "LABELS_NOT_RECOGNISED",
)
report(
    "LabelMe with a polygon of 300,000 corners",
    with_label(
        "a.json", json.dumps({"imagePath": "a.png", "shapes": [{"label": "x", "points": [[1, 2]] * 300_000}]})
    ),
    "LABEL_MALFORMED",
)
report(
    "LabelMe with 8 MiB of empty lists in a shape",
    lambda: with_label(
        "a.json",
        '{"imagePath": "a.png", "shapes": [{"label": "x", "points": ['
        + "[]," * (8 * MIB // 3 - 100)
        + "[]]}]}",
    ),
    "LABEL_FILE_MALFORMED",
)
report(
    "LabelMe with half a character in a flag",
    with_label("a.json", json.dumps({"imagePath": "a.png", "flags": {"\ud800": True}, "shapes": []})),
    "CLASS_NAME_INVALID",
)
report(
    "LabelMe with a picture of 30 MiB inside",
    lambda: with_label(
        "a.json", json.dumps({"imagePath": "a.png", "imageData": "A" * (30 * MIB), "shapes": []})
    ),
)
report(
    "NDJSON with a line of 17 MiB",
    lambda: with_label(
        "a.ndjson", '{"type": "dataset", "class_names": {"0": "cell"}}\n{"x": "' + "x" * (17 * MIB)
    ),
    "LABEL_FILE_MALFORMED",
    "IMAGES_WITHOUT_LABELS",
)
report(
    "NDJSON with a line of 15 MiB of empty arrays",
    lambda: with_label(
        "a.ndjson",
        '{"type": "dataset", "class_names": {"0": "cell"}}\n{"x": [' + "[]," * (5 * MIB) + "[]]}\n",
    ),
    "LABEL_FILE_MALFORMED",
    "IMAGES_WITHOUT_LABELS",
)
report(
    "Labelbox with nested projects",
    with_label("a.ndjson", '{"data_row": {"external_id": "a.png"}, "projects": ' + '{"a":' * 100_000 + "\n"),
    "LABEL_MALFORMED",
    "IMAGES_WITHOUT_LABELS",
)
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
report(
    "VOC that laughs a billion times",
    voc("<folder>&l9;</folder>", f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC with an external entity",
    voc("<folder>&x;</folder>", '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC with elements within each other",
    voc("<a>" * 100_000),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC with a name of 21 MiB",
    lambda: voc(f"<object><name>{'x' * (21 * MIB)}</name></object>"),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC with a tag without end",
    lambda: with_label("a.xml", "<annotation " + "x" * (20 * MIB)),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC in an encoding that nobody has",
    voc(voc_box("1", "1", "5", "5"), '<?xml version="1.0" encoding="utf-47"?>'),
    "LABELS_NOT_RECOGNISED",
    "LABEL_FILE_MALFORMED",
)
report(
    "VOC in UTF-16",
    with_label("a.xml", str(voc(voc_box("1", "1", "5", "5"))["a.xml"]).encode("utf-16")),
    annotations=1,
)
report(
    "VOC with odd numbers",
    voc(voc_box("nan", "1", "5", "5") + voc_box("1e308", "1", "-1e308", "5") + voc_box("x", "1", "5", "5")),
    "ANNOTATION_INVALID",
    "LABEL_MALFORMED",
)
report(
    "YOLO with odd numbers",
    yolo(
        "0 nan 0.5 0.1 0.1\n0 inf 0.5 0.1 0.1\n0 1e308 0.5 1e308 0.1\n0 0.5 0.5 -0.1 -0.1\n"
        "99999999999999999999 0.5 0.5 0.1 0.1\n0 0.5 0.5 0 0.1\n"
    ),
    "LABEL_MALFORMED",
    "COORDINATES_NOT_NORMALIZED",
    "CLASS_OUT_OF_RANGE",
    "ANNOTATION_INVALID",
)
report(
    "YOLO of random bytes",
    {
        **yolo(random.Random(1).randbytes(5000)),
        **{f"{name}.png": png() for name in "bcd"},
        **{f"{name}.txt": "0 0.5 0.5 1 1\n" for name in "bcd"},
    },
    "LABEL_MALFORMED",
    images=4,
    annotations=3,
)
report(
    "YOLO with a line of 17 MiB",
    lambda: {**yolo("0 0.5 0.5 1 1\n" + "1 " * (9 * MIB)), "b.png": png()},
    "LABEL_FILE_TOO_LARGE",
    "IMAGES_WITHOUT_LABELS",
    images=2,
)
ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
report(
    "YAML of aliases",
    {**yolo("0 0.5 0.5 1 1\n"), "data.yaml": f"{ALIASES}names: *a11\n"},
    "CLASS_NAMES_MISSING",
    annotations=1,
)
report(
    "YAML that runs a command",
    {
        **yolo("0 0.5 0.5 1 1\n"),
        "data.yaml": 'names: !!python/object/apply:os.system ["touch /tmp/annotateforge-was-here"]\n',
    },
    annotations=1,
)
report(
    "YAML nested without end",
    {**yolo("0 0.5 0.5 1 1\n"), "data.yaml": "names: " + "[" * 50_000},
    "LABEL_FILE_MALFORMED",
    "CLASS_NAMES_MISSING",
    annotations=1,
)
HEADER = "filename,class,xmin,ymin,xmax,ymax\n"
report(
    "CSV with a line of 10 MiB",
    lambda: with_label("a.csv", f"{HEADER}a.png,cell,1,1,5,5\na.png,{'x' * (10 * MIB)},1,1,5,5\n"),
    "LABEL_FILE_MALFORMED",
    annotations=1,
)
report(
    "CSV with a quotation mark too few",
    lambda: with_label("a.csv", f'{HEADER}a.png,cell,1,1,5,5\na.png,"' + "x,1\n" * (3 * MIB)),
    "LABEL_FILE_MALFORMED",
    annotations=1,
)
report("CSV with NULs", with_label("a.csv", f"{HEADER}a.png,ce\0ll,1,1,5,5\n"), "ANNOTATION_INVALID")
report(
    "CSV with odd numbers",
    with_label(
        "a.csv",
        f"{HEADER}a.png,cell,nan,1,5,5\na.png,cell,1,1,1e308,1e309\na.png,cell,9,9,-5,-5\na.png,cell,x,1,5,5\n",
    ),
    "LABEL_MALFORMED",
    "ANNOTATION_INVALID",
)
report(
    "CSV with a hundred thousand columns",
    with_label("a.csv", HEADER.strip() + ",x" * 100_000 + "\na.png,cell,1,1,5,5\n"),
    "LABELS_NOT_RECOGNISED",
)
report("CSV in UTF-16", with_label("a.csv", f"{HEADER}a.png,cell,1,1,5,5\n".encode("utf-16")), annotations=1)
report(
    "VIA with an angle that is none",
    with_label(
        "via.json",
        json.dumps(
            {
                "a.png1": {
                    "filename": "a.png",
                    "regions": [
                        {
                            "shape_attributes": {
                                "name": "ellipse",
                                "cx": 5,
                                "cy": 5,
                                "rx": 3,
                                "ry": 2,
                                "theta": float("inf"),
                            },
                            "region_attributes": {"class": "x"},
                        }
                    ],
                }
            }
        ),
    ),
    "LABEL_MALFORMED",
)
