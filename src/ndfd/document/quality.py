"""Whether all of a page's text is in the record, and if not, why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ndfd.native import layout as kernel
from ndfd.native import pdftext

#: Characters that are evidently no text make a page partial: so many and this share of it, so many and all of a font,
#: or most of the page.
GARBAGE_MIN = 5
GARBAGE_SHARE = 0.05
GARBAGE_MOST = 0.5
#: An image that covers this much of the page is a scan.
SCAN = 0.5

IMAGE_ONLY = "the page is an image without text (OCR is not available)"


class Verdict(NamedTuple):
    reasons: tuple[str, ...] = ()


def judge(arrays: pdftext.PageArrays, layout: kernel.Layout, fonts: Sequence[pdftext.Font]) -> Verdict:
    """The reasons for which the page is partial; none when it is whole."""
    reasons = _unreadable_fonts(arrays, layout, fonts) if layout.garbage else []
    if layout.visible + layout.invisible == 0 and _is_scan(arrays):
        reasons.append(IMAGE_ONLY)
    return Verdict(tuple(reasons))


def _unreadable_fonts(arrays: pdftext.PageArrays, layout: kernel.Layout, fonts: Sequence[pdftext.Font]) -> list[str]:
    total = layout.visible + layout.invisible
    many = layout.garbage >= GARBAGE_MIN
    if not many and layout.garbage <= GARBAGE_MOST * total:
        return []
    page_wide = layout.garbage > (GARBAGE_SHARE if many else GARBAGE_MOST) * total
    unreadable = [
        (_name(fonts, font), count)
        for font, count, all_of in kernel.count_garbage(arrays)
        if page_wide or (count >= GARBAGE_MIN and count == all_of)
    ]
    # Not in the order of the fonts' numbers: these go by the pages that the engine has read before.
    return [f"text in font {name} has no usable encoding: {count} characters" for name, count in sorted(unreadable)]


def _name(fonts: Sequence[pdftext.Font], index: int) -> str:
    name = fonts[index].name if index < len(fonts) else ""
    return name if name and name.isprintable() else "without a name"


def _is_scan(arrays: pdftext.PageArrays) -> bool:
    boxes = arrays.image_box.tolist()
    area = arrays.width * arrays.height
    covered = sum((boxes[i + 2] - boxes[i]) * (boxes[i + 3] - boxes[i + 1]) for i in range(0, len(boxes), 4))
    return area > 0 and covered >= SCAN * area
