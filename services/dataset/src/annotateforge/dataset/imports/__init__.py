"""Imports: the images and labels of an archive, whatever its label format, into a project.

A new label format is a module with a LabelFormat, and its line in FORMATS.
"""

from annotateforge.dataset.imports.automl import AutoMl
from annotateforge.dataset.imports.coco import Coco
from annotateforge.dataset.imports.createml import CreateMl
from annotateforge.dataset.imports.csv_boxes import CsvBoxes
from annotateforge.dataset.imports.cvat import Cvat
from annotateforge.dataset.imports.detection import AUTO
from annotateforge.dataset.imports.folders import Folders
from annotateforge.dataset.imports.images import PlainImages
from annotateforge.dataset.imports.kitti import Kitti
from annotateforge.dataset.imports.label_format import LabelFormat
from annotateforge.dataset.imports.label_studio import LabelStudio
from annotateforge.dataset.imports.labelbox import Labelbox
from annotateforge.dataset.imports.labelme import LabelMe
from annotateforge.dataset.imports.labelme_xml import LabelMeXml
from annotateforge.dataset.imports.ndjson import Ndjson
from annotateforge.dataset.imports.open_images import OpenImages
from annotateforge.dataset.imports.supervisely import Supervisely
from annotateforge.dataset.imports.via import Via
from annotateforge.dataset.imports.voc import Voc
from annotateforge.dataset.imports.vott import Vott
from annotateforge.dataset.imports.wider import Wider
from annotateforge.dataset.imports.yolo import Yolo
from annotateforge.runtime.errors import InvalidArgument

FORMATS: tuple[type[LabelFormat], ...] = (
    Coco,
    LabelMeXml,
    Voc,
    Ndjson,
    Yolo,
    LabelMe,
    Via,
    LabelStudio,
    Labelbox,
    Vott,
    CreateMl,
    Cvat,
    Kitti,
    Wider,
    OpenImages,
    AutoMl,
    CsvBoxes,
    Supervisely,
    Folders,
    PlainImages,
)
"""Every label format, in the order in which they are preferred where several label as many images."""


def check_format(name: str) -> None:
    """Check that a request names a format, "auto" or none. InvalidArgument INVALID_IMPORT_FORMAT."""
    known = (AUTO, *(each.name for each in FORMATS))
    if name and name not in known:
        raise InvalidArgument.of_field(
            "INVALID_IMPORT_FORMAT", "header.format", f"must be one of {', '.join(known)}"
        )
