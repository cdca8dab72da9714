"""Small documents with all the parts of one, and their Markdown to the letter."""

from __future__ import annotations

import io

import pytest

from ndfd.document import convert
from ndfd.model.conversion import ConvertOptions

PARAGRAPH = (
    "Documents hold what people know, and most of them were made to be printed. What looks like a paragraph to "
    "the eye is a heap of glyphs with their places to a program, so the way back from the page to the text has to be "
    "found anew for each of them. This is done in stages, and each stage is simple enough to be tested alone."
)
GOLDEN = f"""\
# On Reading Documents

{PARAGRAPH}

## 1. Methods

{PARAGRAPH}

- first the characters
- then the words
- and last the lines

## 2. Results

| Stage | Time |
| --- | --- |
| words | 12 |
| lines | 3 |

{PARAGRAPH}
"""


def test_a_report_with_all_its_parts() -> None:
    platypus = pytest.importorskip("reportlab.platypus")
    styles = pytest.importorskip("reportlab.lib.styles").getSampleStyleSheet()
    colors = pytest.importorskip("reportlab.lib.colors")
    text, head = styles["BodyText"], styles["Heading2"]
    grid = platypus.TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)])
    items = [platypus.ListItem(platypus.Paragraph(each, text)) for each in ("first the characters", "then the words")]
    items.append(platypus.ListItem(platypus.Paragraph("and last the lines", text)))
    story = [
        platypus.Paragraph("On Reading Documents", styles["Title"]),
        platypus.Paragraph(PARAGRAPH, text),
        platypus.Paragraph("1. Methods", head),
        platypus.Paragraph(PARAGRAPH, text),
        platypus.ListFlowable(items, bulletType="bullet", start="•"),
        platypus.Paragraph("2. Results", head),
        platypus.Table([["Stage", "Time"], ["words", "12"], ["lines", "3"]], style=grid),
        platypus.Spacer(1, 12),
        platypus.Paragraph(PARAGRAPH, text),
    ]
    out = io.BytesIO()
    platypus.SimpleDocTemplate(out, invariant=1).build(story)
    assert convert(out.getvalue(), ConvertOptions())[0].decode() == GOLDEN
