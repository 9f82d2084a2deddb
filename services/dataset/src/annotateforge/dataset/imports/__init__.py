"""Imports: the images and labels of an archive, whatever its label format, into a project.

A new label format is a module with a LabelFormat, and its line in FORMATS.
"""

from annotateforge.dataset.imports.coco import Coco
from annotateforge.dataset.imports.folders import Folders
from annotateforge.dataset.imports.images import PlainImages
from annotateforge.dataset.imports.label_format import LabelFormat
from annotateforge.dataset.imports.voc import Voc
from annotateforge.dataset.imports.yolo import Yolo

FORMATS: tuple[type[LabelFormat], ...] = (Coco, Voc, Yolo, Folders, PlainImages)
"""Every label format, in the order in which they are preferred where several label as many images."""
