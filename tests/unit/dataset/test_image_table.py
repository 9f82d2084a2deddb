"""The table of image classes says something of the images that are there, and of no others."""

import io
from contextlib import ExitStack
from pathlib import Path

from annotateforge.dataset.imports.image_table import Kept, read_image_table
from annotateforge.dataset.imports.opening import Spool, open_container
from annotateforge.dataset.imports.report import Report
from annotateforge.dataset.imports.tree import Tree
from tests.unit.dataset.archives import LIMITS, png, zipped


def test_rows_of_images_that_the_archive_lacks_are_not_kept(tmp_path: Path) -> None:
    others = "".join(f"images/{number}.png,{'x' * 2000},\n" for number in range(50))
    table = f"image,image_class,group\n{others}images/a.png,good,plate 1\nb.png,good,\n"
    archive = zipped({"set/images/a.png": png(), "set/image_classes.csv": table})
    with ExitStack() as opened:
        spool = Spool(tmp_path, keep_free_bytes=0)
        tree = Tree(open_container(io.BytesIO(archive), LIMITS, spool, opened))
        report = Report()
        assert read_image_table(tree, report) == {"set/images/a.png": Kept("good", "plate 1")}
    assert report.counts == []
