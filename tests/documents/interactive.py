"""Documents whose text PDFium's text page leaves out: form fields and annotations."""

from __future__ import annotations

from tests.documents.writer import (
    HELVETICA,
    Page,
    Writer,
    array,
    document,
    lines_of_text,
    reference,
    string,
)

#: What `form` holds: full name of the field -> its value as text ("[x]" and "[ ]" for boxes and radio buttons).
FORM_VALUES = {
    "person.name": "Ada Łovelace",
    "notes": "First line\nSecond line",
    "empty": "",
    "agree": "[x]",
    "newsletter": "[ ]",
    "colour": "green",
    "size": "[x]",
}
#: Where each of its widgets stands: left, bottom, right, top, in points from the bottom left.
FORM_RECTS = {
    "person.name": (200, 696, 400, 712),
    "notes": (200, 630, 400, 670),
    "empty": (200, 596, 400, 612),
    "agree": (200, 560, 212, 572),
    "newsletter": (200, 530, 212, 542),
    "colour": (200, 496, 300, 512),
}
_LABELS = {
    "person.name": "Name",
    "notes": "Notes",
    "empty": "Left empty",
    "agree": "I agree",
    "newsletter": "News",
    "colour": "Colour",
}


def form() -> bytes:
    """One page with a text field under a parent, one of two lines, an empty one, two check boxes, a choice, and a radio
    group ("size") whose second button of two is chosen; `FORM_VALUES` says what they hold."""
    writer = Writer()
    parent = writer.reserve()
    value = string(FORM_VALUES["person.name"])
    name = _field(
        writer,
        "person.name",
        f"/FT /Tx /T (name) /V {value} /Parent {reference(parent)}",
    )
    writer.put(parent, f"<< /T (person) /Kids [{reference(name)}] >>")
    notes = _field(
        writer,
        "notes",
        f"/FT /Tx /T (notes) /Ff 4096 /V {string(FORM_VALUES['notes'])}",
    )
    empty = _field(writer, "empty", "/FT /Tx /T (empty)")
    boxes = [_check_box(writer, "agree", True), _check_box(writer, "newsletter", False)]
    colour = _field(
        writer,
        "colour",
        "/FT /Ch /Ff 131072 /T (colour) /V (green) /Opt [(red) (green) (blue)]",
    )
    group, buttons = _radio(writer)
    widgets = [name, notes, empty, *boxes, colour, *buttons]
    fields = [parent, notes, empty, *boxes, colour, group]
    catalog = (
        f"/AcroForm << /Fields {array([reference(field) for field in fields])} /DA (/Helv 10 Tf 0 g) "
        f"/DR << /Font << /Helv {HELVETICA} >> >> >>"
    )
    labels = "\n".join(lines_of_text([label], top=FORM_RECTS[name][3] - 12) for name, label in _LABELS.items())
    page = Page(labels, entries=f"/Annots {array([reference(widget) for widget in widgets])}")
    return document([page], catalog=catalog, writer=writer)


def _field(writer: Writer, name: str, entries: str) -> int:
    rect = array(FORM_RECTS[name])
    return writer.add(f"<< /Type /Annot /Subtype /Widget /F 4 /Rect {rect} /DA (/Helv 10 Tf 0 g) {entries} >>")


def _states(writer: Writer, on: bool, state: str = "Yes") -> str:
    """The two appearances of a check box or radio button, and which of them it shows."""
    shape = "/Type /XObject /Subtype /Form /BBox [0 0 12 12]"
    ticked, clear = (
        writer.stream("0 0 12 12 re f", shape),
        writer.stream("0 0 12 12 re S", shape),
    )
    return f"/AS /{state if on else 'Off'} /AP << /N << /{state} {reference(ticked)} /Off {reference(clear)} >> >>"


def _check_box(writer: Writer, name: str, on: bool) -> int:
    value = "Yes" if on else "Off"
    return _field(writer, name, f"/FT /Btn /T ({name}) /V /{value} {_states(writer, on)}")


def _radio(writer: Writer) -> tuple[int, list[int]]:
    group = writer.reserve()
    buttons = [
        writer.add(
            f"<< /Type /Annot /Subtype /Widget /F 4 /Rect [{x} 460 {x + 12} 472] /Parent {reference(group)} "
            f"{_states(writer, on, state)} >>"
        )
        for x, state, on in ((200, "small", False), (260, "large", True))
    ]
    kids = array([reference(button) for button in buttons])
    writer.put(group, f"<< /FT /Btn /Ff 49152 /T (size) /V /large /Kids {kids} >>")
    return group, buttons


#: What `annotated` holds: subtype -> contents.
ANNOTATION_TEXTS = {
    "FreeText": "Checked on the second reading",
    "Text": "Is this figure right?",
    "Highlight": "The main claim",
}
HIDDEN_NOTE = "Nobody should see this"


def annotated() -> bytes:
    """One line of text and: a FreeText with an appearance, a comment (Text), a Highlight of the line with a remark, a
    Popup, and a FreeText that is hidden (/F 2)."""
    writer = Writer()
    appearance = writer.stream(
        f"BT /Helv 10 Tf 0 g 2 4 Td ({ANNOTATION_TEXTS['FreeText']}) Tj ET",
        f"/Type /XObject /Subtype /Form /BBox [0 0 200 16] /Resources << /Font << /Helv {HELVETICA} >> >>",
    )
    default = "/DA (/Helv 10 Tf 0 g)"
    free_text = f"{default} /AP << /N {reference(appearance)} >> /Contents {string(ANNOTATION_TEXTS['FreeText'])}"
    highlight = (
        f"/QuadPoints [72 712 220 712 72 696 220 696] /C [1 1 0] /Contents {string(ANNOTATION_TEXTS['Highlight'])}"
    )
    bodies = [
        f"/Subtype /FreeText /F 4 /Rect [300 600 500 616] {free_text}",
        f"/Subtype /Text /F 4 /Rect [500 700 520 720] /Contents {string(ANNOTATION_TEXTS['Text'])}",
        f"/Subtype /Highlight /F 4 /Rect [72 696 220 712] {highlight}",
        "/Subtype /Popup /Rect [300 300 400 400]",
        f"/Subtype /FreeText /F 2 /Rect [300 500 500 516] {default} /Contents {string(HIDDEN_NOTE)}",
    ]
    numbers = [writer.add(f"<< /Type /Annot {body} >>") for body in bodies]
    page = Page(
        lines_of_text(["Something that matters"], top=700),
        entries=f"/Annots {array([reference(number) for number in numbers])}",
    )
    return document([page], writer=writer)
