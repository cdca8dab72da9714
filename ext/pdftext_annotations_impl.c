/* Form fields, annotations and links of a page: what PDFium's text page leaves out. */
#include "pdftext_impl.h"

#include <string.h>

enum { ANNOTATIONS_MAX = 20000, LINKS_MAX = 20000, OPTIONS_MAX = 1000 };
enum { NOT_SHOWN = 1 << 1 | 1 << 5 }; /* FPDF_ANNOT_FLAG_HIDDEN, FPDF_ANNOT_FLAG_NOVIEW */
enum { SUBTYPE_FREETEXT = 3, SUBTYPE_WIDGET = 20 };
enum { ACTION_URI = 3 };

enum { KIND_NONE, KIND_BUTTON, KIND_CHECKBOX, KIND_RADIO, KIND_CHOICE, KIND_TEXT, KIND_SIGNATURE, KIND_COMMENTS };

/* Comments' kinds follow the fields', in the order of their subtypes. */
const char *const nd_note_kinds[] = {
    "", "button", "checkbox", "radio", "choice", "text", "signature",
    "Text", "FreeText", "Line", "Square", "Circle", "Polygon", "PolyLine", "Highlight", "Underline", "Squiggly",
    "StrikeOut", "Stamp", "Caret", "Ink", "FileAttachment", "Redact"};

/* By FPDF_FORMFIELD_*; a combo box and a list box are both a choice. */
static const uint8_t FIELD_KINDS[] = {
    KIND_NONE, KIND_BUTTON, KIND_CHECKBOX, KIND_RADIO, KIND_CHOICE, KIND_CHOICE, KIND_TEXT, KIND_SIGNATURE};

/* By FPDF_ANNOT_*: subtypes whose Contents are somebody's words (ISO 32000-1, table 169). A pop-up repeats its parent's;
 * a link's is a description of the link. */
static const uint8_t COMMENT_KINDS[] = {0, 7, 0, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 0, 21,
                                        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 22};

static int append_label(nd_document *document, nd_text *text, nd_handle annotation, int i, int first) {
    nd_text label;
    nd_vector *pool = &document->pool;
    if (!first) {
        char *line_end = nd_push(pool, 1, 2);
        if (!line_end)
            return ND_NO_MEMORY;
        line_end[0] = '\n';
        line_end[1] = 0;
    }
    ND_FETCH_WIDE(pool, &label, FPDFAnnot_GetOptionLabel, document->form, annotation, i);
    text->size = (uint32_t)(pool->count - text->at);
    return ND_OK;
}

/* The labels of the options that are selected, one a line; else the value (an edited combo box). */
static int read_choice(nd_document *document, nd_handle annotation, nd_text *text) {
    int count = nd_pdfium.FPDFAnnot_GetOptionCount(document->form, annotation);
    text->at = (uint32_t)document->pool.count;
    text->size = 0;
    int selected = 0;
    for (int i = 0; i < count && i < OPTIONS_MAX; i++)
        if (nd_pdfium.FPDFAnnot_IsOptionSelected(document->form, annotation, i)) {
            if (append_label(document, text, annotation, i, !selected) != ND_OK)
                return ND_NO_MEMORY;
            selected = 1;
        }
    if (!text->size)
        ND_FETCH_WIDE(&document->pool, text, FPDFAnnot_GetFormFieldValue, document->form, annotation);
    return ND_OK;
}

static int read_mark(nd_document *document, nd_handle annotation, nd_text *text) {
    static const char checked[] = "[\0x\0]\0", unchecked[] = "[\0 \0]\0";
    char *to = nd_push(&document->pool, 1, 6);
    if (!to)
        return ND_NO_MEMORY;
    memcpy(to, nd_pdfium.FPDFAnnot_IsChecked(document->form, annotation) ? checked : unchecked, 6);
    text->at = (uint32_t)(document->pool.count - 6);
    text->size = 6;
    return ND_OK;
}

static int read_field(nd_document *document, nd_handle annotation, nd_note *note) {
    int type = nd_pdfium.FPDFAnnot_GetFormFieldType(document->form, annotation);
    if (type < 0 || (size_t)type >= sizeof FIELD_KINDS || !FIELD_KINDS[type])
        return ND_OK;
    note->kind = FIELD_KINDS[type];
    note->flag = ND_FIELD;
    ND_FETCH_WIDE(&document->pool, &note->name, FPDFAnnot_GetFormFieldName, document->form, annotation);
    int result = ND_OK;
    if (note->kind == KIND_CHECKBOX || note->kind == KIND_RADIO)
        result = read_mark(document, annotation, &note->text);
    else if (note->kind == KIND_CHOICE)
        result = read_choice(document, annotation, &note->text);
    else if (note->kind == KIND_TEXT)
        ND_FETCH_WIDE(&document->pool, &note->text, FPDFAnnot_GetFormFieldValue, document->form, annotation);
    if (note->text.size)
        nd_pdfium.FPDFAnnot_GetFontSize(document->form, annotation, &note->size);
    return result;
}

static int read_comment(nd_document *document, nd_handle annotation, int subtype, nd_note *note) {
    ND_FETCH_WIDE(&document->pool, &note->text, FPDFAnnot_GetStringValue, annotation, "Contents");
    if (!note->text.size)
        return ND_OK;
    note->kind = COMMENT_KINDS[subtype];
    note->flag = subtype == SUBTYPE_FREETEXT ? ND_ANNOTATION : 0;
    return ND_OK;
}

/* Leaves note->kind at none for an annotation that has nothing to say. */
static int read_note(nd_document *document, nd_handle annotation, nd_note *note) {
    int subtype = nd_pdfium.FPDFAnnot_GetSubtype(annotation);
    int comment = subtype >= 0 && (size_t)subtype < sizeof COMMENT_KINDS && COMMENT_KINDS[subtype];
    if (!comment && (subtype != SUBTYPE_WIDGET || !document->form))
        return ND_OK;
    if (nd_pdfium.FPDFAnnot_GetFlags(annotation) & NOT_SHOWN)
        return ND_OK;
    nd_rectf rect;
    if (!nd_pdfium.FPDFAnnot_GetRect(annotation, &rect))
        return ND_OK;
    nd_place_box(&document->frame, rect.left, rect.top, rect.right, rect.bottom, note->box);
    return comment ? read_comment(document, annotation, subtype, note) : read_field(document, annotation, note);
}

int nd_read_notes(nd_document *document, nd_handle page) {
    int count = nd_pdfium.FPDFPage_GetAnnotCount(page);
    for (int i = 0; i < count && i < ANNOTATIONS_MAX; i++) {
        nd_handle annotation = nd_pdfium.FPDFPage_GetAnnot(page, i);
        if (!annotation)
            continue;
        nd_note note = {.first_char = -1};
        int result = read_note(document, annotation, &note);
        nd_pdfium.FPDFPage_CloseAnnot(annotation);
        if (result != ND_OK)
            return result;
        if (note.kind == KIND_NONE)
            continue;
        nd_note *added = nd_push(&document->notes, sizeof *added, 1);
        if (!added)
            return ND_NO_MEMORY;
        *added = note;
    }
    return ND_OK;
}

static int page_of(const nd_document *document, nd_handle destination) {
    int index = destination ? nd_pdfium.FPDFDest_GetDestPageIndex(document->handle, destination) : -1;
    return index >= 0 ? index : -1;
}

static int read_destination(nd_document *document, nd_handle handle, nd_link *link) {
    nd_handle action = nd_pdfium.FPDFLink_GetAction(handle);
    if (!action || nd_pdfium.FPDFAction_GetType(action) != ACTION_URI) {
        link->page = page_of(document, nd_pdfium.FPDFLink_GetDest(document->handle, handle));
        return ND_OK;
    }
    ND_FETCH(&document->pool, &link->uri, FPDFAction_GetURIPath, document->handle, action);
    link->uri.size = (uint32_t)strnlen(document->pool.data + link->uri.at, link->uri.size);
    link->has_uri = link->uri.size > 0;
    return ND_OK;
}

int nd_read_links(nd_document *document, nd_handle page) {
    int position = 0;
    nd_handle handle = NULL;
    while (document->links.count < LINKS_MAX && nd_pdfium.FPDFLink_Enumerate(page, &position, &handle)) {
        nd_link link = {.page = -1};
        if (read_destination(document, handle, &link) != ND_OK)
            return ND_NO_MEMORY;
        nd_rectf rect;
        if ((!link.has_uri && link.page < 0) || !nd_pdfium.FPDFLink_GetAnnotRect(handle, &rect))
            continue;
        nd_place_box(&document->frame, rect.left, rect.top, rect.right, rect.bottom, link.box);
        nd_link *added = nd_push(&document->links, sizeof *added, 1);
        if (!added)
            return ND_NO_MEMORY;
        *added = link;
    }
    return ND_OK;
}
