"""XML of CVAT for images."""

from pathlib import Path

import pytest

from annotateforge.dataset.annotations import AnnotationType
from annotateforge.dataset.imports.xml_stream import XmlMalformed, xml_events
from tests.unit.dataset.archives import Files, png, read_archive, zipped

BOX = '<box label="cell" occluded="0" xtl="1" ytl="2.5" xbr="9" ybr="8" z_order="0"></box>'
META = """<meta><task><labels><label><name>cell</name><attributes><attribute><name>colour</name></attribute>
</attributes></label><label><name>unused</name></label></labels></task></meta>"""


def image(*shapes: str, name: str = "a.png", size: tuple[object, object] = (100, 50)) -> str:
    lines = "\n".join(shapes)
    return f'<image id="0" name="{name}" width="{size[0]}" height="{size[1]}">\n{lines}\n</image>\n'


def cvat(*images: str, meta: str = META) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"{meta}\n{''.join(images)}</annotations>\n"
    )


def test_every_shape_with_an_area_comes_in(tmp_path: Path) -> None:
    document = cvat(
        image(
            BOX,
            '<box label="cell" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90"/>',
            '<polygon label="cell" points="1.00,1.00;9.00,1.00;9.00,8.00"/>',
            '<ellipse label="cell" cx="10" cy="20" rx="5" ry="5"/>',
            '<ellipse label="cell" cx="10" cy="20" rx="5" ry="2" rotation="90.0"/>',
            '<mask label="cell" rle="3, 5, 2" left="3" top="4" width="5" height="2"/>',
        )
    )
    read = read_archive(zipped({"a.png": png(100, 50), "annotations.xml": document}), tmp_path)
    assert (read.format, read.classes) == ("cvat", ["cell", "unused"])
    assert read.reasons == {"MASK_UNSUPPORTED": 1}
    box, turned, polygon, circle, ellipse, mask = read.annotations["a.png"]
    assert (box.type, box.coordinates) == (AnnotationType.BOX, (1, 2.5, 9, 8))
    assert turned.type is AnnotationType.RECTANGLE
    assert turned.coordinates == pytest.approx((17, 7, 17, 17, 13, 17, 13, 7))
    assert (polygon.type, polygon.coordinates) == (AnnotationType.POLYGON, (1, 1, 9, 1, 9, 8))
    assert (circle.type, circle.coordinates) == (AnnotationType.CIRCLE, (10, 20, 5))
    xs, ys = ellipse.coordinates[::2], ellipse.coordinates[1::2]
    assert (min(xs), min(ys), max(xs), max(ys)) == pytest.approx((8, 15, 12, 25))
    assert (mask.type, mask.coordinates) == (AnnotationType.BOX, (3, 4, 8, 6))


@pytest.mark.parametrize("before", [0, 1, 7, 8, 9, 63, 64, 65, 500, 5000])
def test_a_file_is_recognised_however_much_stands_before_its_root(before: int, tmp_path: Path) -> None:
    # The comment's characters of three bytes are cut wherever a piece that is looked at ends.
    document = cvat(image(BOX)).replace("<annotations>", f"<!--{'图' * before}--><annotations>")
    read = read_archive(zipped({"a.png": png(100, 50), "annotations.xml": document}), tmp_path)
    assert (read.format, read.count, read.problems) == ("cvat", 1, [])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.png", "a.png"),
        ("task/images/Train/a b.v1.png", "Train/a b.v1.png"),
        ("images/中文.png", "C:\\data\\中文.PNG"),
        ("images/a.png", "/home/django/data/a.png"),
        ("images/a&amp;b.png".replace("&amp;", "&"), "a&amp;b.png"),
    ],
)
def test_images_are_found_by_their_names(path: str, name: str, tmp_path: Path) -> None:
    files: Files = {path: png(100, 50), "task/annotations.xml": cvat(image(BOX, name=name), meta="")}
    read = read_archive(zipped(files), tmp_path)
    assert (read.format, read.count, read.problems) == ("cvat", 1, [])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ('<box label="cell" xtl="5" ytl="5" xbr="5" ybr="9"/>', "ANNOTATION_INVALID"),
        ('<box label="cell" xtl="5" ytl="5" xbr="nan" ybr="9"/>', "ANNOTATION_INVALID"),
        ('<box label="cell" xtl="5" ytl="5" xbr="9"/>', "LABEL_MALFORMED"),
        ('<box label="cell" xtl="5" ytl="5" xbr="9" ybr="x"/>', "LABEL_MALFORMED"),
        ('<box label="cell" xtl="5" ytl="5" xbr="9" ybr="9" rotation="inf"/>', "LABEL_MALFORMED"),
        ('<polygon label="cell" points="1,2;3"/>', "LABEL_MALFORMED"),
        ('<polygon label="cell" points="1,2;3,4"/>', "LABEL_MALFORMED"),
        ('<polygon label="cell" points="{}"/>'.format("1,2;" * 20_001), "LABEL_MALFORMED"),
        ('<polygon label="cell"/>', "LABEL_MALFORMED"),
        ('<ellipse label="cell" cx="5" cy="5" rx="-3" ry="4"/>', "LABEL_MALFORMED"),
        ('<points label="cell" points="1,2"/>', "SHAPE_UNSUPPORTED"),
        ('<polyline label="cell" points="1,2;3,4"/>', "SHAPE_UNSUPPORTED"),
        ('<cuboid label="cell" xtl1="1"/>', "SHAPE_UNSUPPORTED"),
        ('<skeleton label="cell"><points label="1" points="1,2"/></skeleton>', "SHAPE_UNSUPPORTED"),
        ('<spiral label="cell"/>', "SHAPE_UNSUPPORTED"),
        ('<box xtl="5" ytl="5" xbr="9" ybr="9"/>', "LABEL_WITHOUT_CLASS"),
    ],
)
def test_a_wrong_shape_is_reported_with_its_line_and_left_out(
    wrong: str, reason: str, tmp_path: Path
) -> None:
    document = cvat(image(BOX, wrong, BOX), meta="<meta/>")
    read = read_archive(zipped({"a.png": png(100, 50), "c.xml": document}), tmp_path)
    assert read.count == 2 + (reason == "LABEL_WITHOUT_CLASS")
    assert [(problem.reason, problem.file, problem.line) for problem in read.problems] == [
        (reason, "c.xml", 7)
    ]


def test_the_first_tag_is_the_class_of_the_image(tmp_path: Path) -> None:
    cat, dog = '<tag label="cat"></tag>', '<tag label="dog"></tag>'
    files: Files = {
        "a.png": png(100, 50),
        "b.png": png(100, 50),
        "c.png": png(100, 50),
        "c.xml": cvat(image(cat), image(dog, BOX, cat, name="b.png"), image(BOX, name="c.png")),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.images == {"a.png": "cat", "b.png": "dog", "c.png": ""}
    assert {path: len(found) for path, found in read.annotations.items()} == {"b.png": 1, "c.png": 1}
    assert read.reasons == {"IMAGE_CLASS_AMBIGUOUS": 1}


def test_trouble_with_images_and_files_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    files: Files = {
        "a.png": png(100, 50),
        "x/b.png": png(100, 50),
        "y/b.png": png(100, 50),
        "c.png": png(50, 100),
        "d.png": png(100, 50),
        "1.xml": cvat(image(BOX), image(BOX, name="b.png"), image(BOX, name="gone.png")),
        "2.xml": cvat(image(BOX, name="c.png"), image(BOX, BOX, name="a.png"))[:-30],
        "3.xml": cvat('<track id="0" label="car"><box frame="0" xtl="1"/></track>'),
        "4.xml": "<notes/>",
        "5.xml": "<notes",
        "6.xml": cvat(image(BOX)).replace("<annotations>", '<!DOCTYPE a [<!ENTITY x "y">]><annotations>'),
    }
    read = read_archive(zipped(files), tmp_path)
    assert read.format == "cvat"
    assert {path: len(found) for path, found in read.annotations.items()} == {"a.png": 3, "c.png": 1}
    assert {(problem.file, problem.reason) for problem in read.problems} == {
        ("1.xml", "LABEL_AMBIGUOUS"),
        ("1.xml", "IMAGE_MISSING"),
        ("2.xml", "IMAGE_SIZE_DIFFERS"),
        ("2.xml", "LABEL_FILE_MALFORMED"),
        ("3.xml", "LABELS_LEFT_OUT"),
        ("4.xml", "LABEL_FILE_IGNORED"),
        ("5.xml", "LABEL_FILE_MALFORMED"),
        ("6.xml", "LABEL_FILE_MALFORMED"),
        ("", "IMAGES_WITHOUT_LABELS"),
    }


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" * 65,
        b'<a b="' + b"x" * (17 << 20),
        b"<a>" + b"<" * 100,
        b"",
        b"\x00\x01",
        b'<?xml version="1.0" encoding="martian"?><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;&x;">]><a>&z;</a>',
    ],
)
def test_hostile_xml_is_malformed(content: bytes) -> None:
    with pytest.raises(XmlMalformed):
        list(xml_events(content[at : at + (1 << 18)] for at in range(0, len(content), 1 << 18)))
