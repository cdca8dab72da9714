"""A form with its fields filled in: text, several lines of text, check boxes, radio buttons, a choice."""

from __future__ import annotations

import io
from collections.abc import Sequence

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

_LEFT, _FIELD, _TOP = 60, 200, A4[1] - 70
_GREY = HexColor(0x808080)


def form() -> bytes:
    """The bytes of the form; the same each time."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle("Request for the Conversion of Documents")
    canvas.setAuthor("The ndfd authors")
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(_LEFT, _TOP, "Request for the Conversion of Documents")
    canvas.setFont("Helvetica", 10)
    canvas.drawString(_LEFT, _TOP - 22, "Please fill in one form for each collection. Fields with a star are needed.")
    _section(canvas, 60, "1  Who asks")
    _text(canvas, 92, "Name *", "name", "Maria Keller")
    _text(canvas, 122, "Department *", "department", "Archive of printed matter")
    _text(canvas, 152, "Telephone", "telephone", "")
    _section(canvas, 200, "2  What is to be converted")
    _text(canvas, 232, "Number of documents *", "documents", "1,250", width=80)
    _text(
        canvas,
        262,
        "Description",
        "description",
        "Minutes of meetings, 1948 to 1975.\nTyped, some pages scanned.",
        height=44,
    )
    _boxes(
        canvas,
        330,
        "The documents hold",
        (("tables", True), ("formulas", False), ("signatures", True), ("stamps", False)),
    )
    _section(canvas, 380, "3  What is wanted")
    _choice(canvas, 412, "Output format *", "format", ("Markdown", "JSON", "HTML", "Text"), "JSON")
    _radio(
        canvas,
        446,
        "How soon",
        "urgency",
        (("today", "Today"), ("week", "Within a week"), ("any", "At any time")),
        "week",
    )
    _section(canvas, 500, "4  Confirmation")
    _boxes(canvas, 532, "", (("I may pass these documents on", True),), names=("permission",))
    _text(canvas, 566, "Date *", "date", "2024-02-29", width=100)
    canvas.setFont("Helvetica-Oblique", 9)
    canvas.drawString(_LEFT, 60, "The form is read by a program. Its fields are text of the document like any other.")
    canvas.save()
    return out.getvalue()


def _section(canvas: Canvas, down: int, title: str) -> None:
    canvas.setFont("Helvetica-Bold", 12)
    canvas.drawString(_LEFT, _TOP - down, title)
    canvas.setLineWidth(0.5)
    canvas.line(_LEFT, _TOP - down - 6, A4[0] - _LEFT, _TOP - down - 6)


def _label(canvas: Canvas, down: int, label: str) -> float:
    canvas.setFont("Helvetica", 10)
    canvas.drawString(_LEFT, _TOP - down, label)
    return float(_TOP - down)


def _text(canvas: Canvas, down: int, label: str, name: str, value: str, *, width: int = 300, height: int = 18) -> None:
    baseline = _label(canvas, down, label)
    canvas.acroForm.textfield(
        name=name, tooltip=label, value=value, x=_FIELD, y=baseline + 13 - height, width=width, height=height,
        fontName="Helvetica", fontSize=10, borderWidth=0.5, borderColor=_GREY, fillColor=white, textColor=black,
        fieldFlags="multiline" if "\n" in value else "", forceBorder=True,
    )  # fmt: skip


def _boxes(
    canvas: Canvas, down: int, label: str, boxes: Sequence[tuple[str, bool]], *, names: Sequence[str] = ()
) -> None:
    baseline = _label(canvas, down, label)
    for place, (text, checked) in enumerate(boxes):
        x = _FIELD + 85 * place
        name = names[place] if names else text
        canvas.acroForm.checkbox(
            name=name, tooltip=text, checked=checked, x=x, y=baseline - 2, size=12, buttonStyle="cross",
            borderWidth=0.5, borderColor=_GREY, fillColor=white, textColor=black, forceBorder=True,
        )  # fmt: skip
        canvas.drawString(x + 20, baseline, text)


def _choice(canvas: Canvas, down: int, label: str, name: str, options: Sequence[str], value: str) -> None:
    baseline = _label(canvas, down, label)
    canvas.acroForm.choice(
        name=name, tooltip=label, value=value, options=list(options), x=_FIELD, y=baseline - 5, width=120, height=18,
        fontName="Helvetica", fontSize=10, borderWidth=0.5, borderColor=_GREY, fillColor=white, textColor=black,
        forceBorder=True,
    )  # fmt: skip


def _radio(canvas: Canvas, down: int, label: str, name: str, buttons: Sequence[tuple[str, str]], value: str) -> None:
    baseline = _label(canvas, down, label)
    for place, (key, text) in enumerate(buttons):
        x = _FIELD + 105 * place
        canvas.acroForm.radio(
            name=name, tooltip=label, value=key, selected=key == value, x=x, y=baseline - 4, size=16,
            buttonStyle="circle", shape="square",
            borderWidth=0.5, borderColor=_GREY, fillColor=white, textColor=black, forceBorder=True,
        )  # fmt: skip
        canvas.drawString(x + 20, baseline, text)
