"""A page as a scanner gives it: one grey picture, a little turned, with noise, and no text at all."""

from __future__ import annotations

import io
import random

import pypdfium2
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

_DPI = 130
_TURN_DEGREES = 0.7
_NOISE = 0.07


def scan(data: bytes, page: int) -> bytes:
    """Page `page` (0-based) of the PDF `data` as an image-only PDF; the same bytes each time."""
    document = pypdfium2.PdfDocument(data)
    picture = document[page].render(scale=_DPI / 72, grayscale=True).to_pil()
    document.close()
    turned = picture.rotate(_TURN_DEGREES, resample=Image.Resampling.BICUBIC, fillcolor=255)
    noise = random.Random(1993)  # noqa: S311 - a picture, not a secret
    grain = Image.frombytes("L", turned.size, noise.randbytes(turned.width * turned.height))
    jpeg = io.BytesIO()
    Image.blend(turned, grain, _NOISE).save(jpeg, "JPEG", quality=45, optimize=True)
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle("A scanned page")
    canvas.drawImage(ImageReader(jpeg), 0, 0, *A4)
    canvas.save()
    return out.getvalue()
