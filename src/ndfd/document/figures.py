"""Images -> figure blocks, placed among the blocks of text."""

from __future__ import annotations

from ndfd.document.draft import Draft
from ndfd.model.document import BBox, BlockKind, Image
from ndfd.native import pdftext

#: Points: smaller images are bullets, rules and other ornament.
SIDE_MIN = 24.0
#: An image that covers more of the page than this is its background or its scan.
BACKGROUND = 0.8
#: Images that become blocks and records on one page; some pages are made of thousands of slices.
IMAGES_MAX = 200


def images(arrays: pdftext.PageArrays) -> tuple[Image, ...]:
    """The page's images with their boxes, the first `IMAGES_MAX`."""
    pixels = arrays.image_pixels
    return tuple(Image(box, pixels[2 * i], pixels[2 * i + 1]) for i, box in enumerate(_boxes(arrays)))


def _boxes(arrays: pdftext.PageArrays) -> list[BBox]:
    values = arrays.image_box[: 4 * IMAGES_MAX].tolist()
    return [(values[i], values[i + 1], values[i + 2], values[i + 3]) for i in range(0, len(values), 4)]


def figures(arrays: pdftext.PageArrays) -> list[Draft]:
    """A block without text for each image that is neither ornament nor background."""
    drafts = []
    page_area = arrays.width * arrays.height
    for box in _boxes(arrays):
        width, height = box[2] - box[0], box[3] - box[1]
        if width >= SIDE_MIN and height >= SIDE_MIN and width * height <= BACKGROUND * page_area:
            draft = Draft("", box, 0.0, 0, 0)
            draft.kind = BlockKind.FIGURE
            drafts.append(draft)
    return drafts


def place(found: list[Draft], blocks: list[Draft]) -> None:
    """Puts each figure before the first block of its column that stands below its middle, else at the end."""
    for figure in sorted(found, key=lambda draft: (draft.bbox[1], draft.bbox[0])):
        x0, y0, x1, y1 = figure.bbox
        middle = (y0 + y1) / 2
        for i, block in enumerate(blocks):
            box = block.bbox
            if box[1] >= middle and box[0] < x1 and box[2] > x0:
                blocks.insert(i, figure)
                break
        else:
            blocks.append(figure)
