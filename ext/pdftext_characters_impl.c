/* Characters of a page: PDFium's text page as arrays, and behind them the text of fields and annotations.
 *
 * Measured over 1,095 pages of 2,716 characters: 27 ns a character, of which six calls into PDFium that only it can
 * answer (code, object, mapping error, both boxes, origin) take 3 to 5 ns each. What the characters of a text object share
 * (font, size, colour, ...) is asked for once per object, 11 characters on average.
 */
#include "pdftext_impl.h"

#include <math.h>
#include <string.h>

enum { HYPHEN_CODE = 0x02 }; /* PDFium's own code for a hyphen that it takes for a soft one */
enum { RENDER_INVISIBLE = 3 };
enum { OPAQUE_BLACK = 0x000000FF };
/* tan 5 degrees: as far as scanned text may be askew and still count as level; PDFium's text page draws the same line. */
#define ASKEW_MAX 0.0875

/* What all characters of a text object share. */
typedef struct {
    float size;
    uint32_t colour;
    int32_t mcid;
    uint16_t font, weight, flags;
    uint8_t direction;
} facts;

/* The font handles of this page that were met last. */
enum { FONT_SLOTS = 64 };
typedef struct { nd_handle handle; uint16_t index; } font_slot;

typedef struct {
    nd_document *document;
    nd_handle text, object;
    nd_page *page;
    size_t at;
    int has_facts;
    facts facts;
    font_slot fonts[FONT_SLOTS];
} reader;

/* Control, private-use, surrogate and non-characters, and the replacement character. */
static inline int is_garbage(uint32_t code) {
    if (code < 0xA0)
        return (code < 0x20 && code != 0x09 && code != 0x0A && code != 0x0D) || code >= 0x7F;
    if (code < 0xD800)
        return 0;
    return code <= 0xF8FF || (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE || code == 0xFFFD ||
           code >= 0xF0000;
}

static inline void add(nd_page *page, size_t i, uint32_t code, uint32_t flags, const facts *shared) {
    if (is_garbage(code))
        flags |= ND_GARBAGE;
    page->codepoint[i] = code >= 0xD800 && code <= 0xDFFF ? 0xFFFD : code;
    page->flags[i] = (uint16_t)(flags | shared->flags);
    page->font[i] = shared->font;
    page->size[i] = shared->size;
    page->weight[i] = shared->weight;
    page->colour[i] = shared->colour;
    page->direction[i] = shared->direction;
    page->mcid[i] = shared->mcid;
}

/* Quarter turns clockwise of the baseline as displayed, where y runs down. */
static uint8_t direction_of(const nd_frame *frame, double a, double b, double size) {
    double x = frame->sx * (frame->swap ? b : a), y = frame->sy * (frame->swap ? a : b);
    if (size < 0) {
        x = -x;
        y = -y;
    }
    if (fabs(y) <= ASKEW_MAX * fabs(x))
        return x >= 0 ? 0 : 2;
    if (fabs(x) <= ASKEW_MAX * fabs(y))
        return y >= 0 ? 1 : 3;
    return ND_OBLIQUE;
}

static int page_font(reader *r, nd_handle handle, uint16_t *index) {
    uintptr_t key = (uintptr_t)handle;
    font_slot *slot = &r->fonts[(key >> 4 ^ key >> 12) % FONT_SLOTS];
    if (!handle || slot->handle != handle) {
        if (nd_font_index(r->document, handle, &slot->index) != ND_OK)
            return ND_NO_MEMORY;
        slot->handle = handle;
    }
    *index = slot->index;
    return ND_OK;
}

static int read_facts(reader *r, int i, nd_handle object) {
    facts *f = &r->facts;
    const nd_document *document = r->document;
    if (page_font(r, nd_pdfium.FPDFTextObj_GetFont(object), &f->font) != ND_OK)
        return ND_NO_MEMORY;
    const nd_font *font = (const nd_font *)document->fonts.data + f->font;
    float size = 0;
    nd_pdfium.FPDFTextObj_GetFontSize(object, &size);
    nd_matrixf m = {0};
    if (!nd_pdfium.FPDFText_GetMatrix(r->text, i, &m))
        m.a = m.d = 1;
    double c = m.c, d = m.d;
    f->size = (float)nd_within(fabs((double)size) * sqrt(c * c + d * d));
    f->weight = font->weight;
    f->flags = font->flags;
    if (nd_pdfium.FPDFTextObj_GetTextRenderMode(object) == RENDER_INVISIBLE)
        f->flags |= ND_INVISIBLE;
    f->colour = nd_colour(nd_pdfium.FPDFPageObj_GetFillColor, object);
    f->direction = direction_of(&document->frame, m.a, m.b, size);
    f->mcid = document->tagged ? nd_pdfium.FPDFPageObj_GetMarkedContentID(object) : -1;
    r->object = object;
    r->has_facts = 1;
    return ND_OK;
}

static int no_facts(nd_document *document, facts *f) {
    *f = (facts){.colour = OPAQUE_BLACK, .mcid = -1};
    return nd_font_index(document, NULL, &f->font);
}

/* Of the character's text object; what PDFium inserted takes those of the character before it. */
static int find_facts(reader *r, int i, uint32_t flags) {
    nd_handle object = flags & ND_GENERATED ? NULL : nd_pdfium.FPDFText_GetTextObject(r->text, i);
    if (object && (object != r->object || !r->has_facts))
        return read_facts(r, i, object);
    return r->has_facts ? ND_OK : no_facts(r->document, &r->facts);
}

static inline int read_character(reader *r, int i, uint32_t code) {
    const nd_frame *frame = &r->document->frame;
    nd_page *page = r->page;
    nd_handle text = r->text;
    uint32_t flags = 0;
    if ((code == 0x20 || code == 0x0D || code == 0x0A) && nd_pdfium.FPDFText_IsGenerated(text, i) == 1) {
        flags = ND_GENERATED;
    } else if (code == HYPHEN_CODE && nd_pdfium.FPDFText_IsHyphen(text, i) == 1) {
        flags = ND_HYPHEN;
        code = '-';
    } else if (nd_pdfium.FPDFText_HasUnicodeMapError(text, i) == 1) {
        flags = ND_UNMAPPED;
    }
    if (find_facts(r, i, flags) != ND_OK)
        return ND_NO_MEMORY;
    size_t at = r->at++;
    add(page, at, code, flags, &r->facts);
    double left = 0, right = 0, bottom = 0, top = 0;
    nd_pdfium.FPDFText_GetCharBox(text, i, &left, &right, &bottom, &top);
    /* PDFium holds single precision and gives it out as double. */
    nd_place_box(frame, (float)left, (float)top, (float)right, (float)bottom, page->tight + 4 * at);
    nd_rectf rect = {0};
    nd_pdfium.FPDFText_GetLooseCharBox(text, i, &rect);
    nd_place_box(frame, rect.left, rect.top, rect.right, rect.bottom, page->loose + 4 * at);
    nd_pdfium.FPDFText_GetCharOrigin(text, i, &left, &top);
    nd_place_point(frame, (float)left, (float)top, page->origin + 2 * at);
    return ND_OK;
}

int nd_read_characters(nd_document *document, nd_handle text, nd_page *page) {
    reader r = {.document = document, .text = text, .page = page};
    int count = nd_pdfium.FPDFText_CountChars(text);
    for (int i = 0; i < count; i++) {
        int at = i;
        uint32_t code = nd_pdfium.FPDFText_GetUnicode(text, i);
        /* Pairs come apart where PDFium's wide characters are 16 bits (Windows). */
        if (code >= 0xD800 && code <= 0xDBFF && i + 1 < count) {
            uint32_t low = nd_pdfium.FPDFText_GetUnicode(text, i + 1);
            if (low >= 0xDC00 && low <= 0xDFFF) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                i++;
            }
        }
        if (read_character(&r, at, code) != ND_OK)
            return ND_NO_MEMORY;
    }
    page->count = r.at;
    return ND_OK;
}

/* The most characters that the notes at hand can add: no code point is shorter than a UTF-16 unit, and a line end comes
 * before each note. */
size_t nd_note_characters(const nd_document *document) {
    const nd_note *notes = (const nd_note *)document->notes.data;
    size_t count = 0;
    for (size_t i = 0; i < document->notes.count; i++)
        if (notes[i].flag)
            count += notes[i].text.size / 2 + 1;
    return count;
}

static void place(nd_page *page, size_t i, nd_box box, double x, double y) {
    nd_store_box(page->loose + 4 * i, box);
    nd_store_box(page->tight + 4 * i, box);
    page->origin[2 * i] = (float)x;
    page->origin[2 * i + 1] = (float)y;
}

static void add_line_end(nd_page *page, double x, double y, const facts *shared) {
    size_t i = page->count++;
    add(page, i, '\n', ND_GENERATED, shared);
    place(page, i, (nd_box){x, y, x, y}, x, y);
}

/* The bytes of one row of a text, and its code points; *next is where the next row starts, or 0 when there is none. */
static uint32_t row_end(const char *text, uint32_t size, uint32_t at, uint32_t *length, uint32_t *next) {
    *length = *next = 0;
    while (at + 2 <= size) {
        uint32_t start = at, code = nd_next_code(text, size, &at);
        if (code == '\r' || code == '\n') {
            if (code == '\r' && at + 2 <= size && text[at] == '\n' && !text[at + 1])
                at += 2;
            *next = at;
            return start;
        }
        ++*length;
    }
    return at;
}

/* Evenly from the left edge: half an em a character, or closer where the row would not fit. */
static void lay_out(nd_page *page, const char *text, uint32_t at, uint32_t end, uint32_t length, nd_box band, double size,
                    const facts *shared) {
    double step = nd_min((band.x1 - band.x0) / length, size * 0.5);
    double top = band.y0 - size * 0.5, bottom = band.y0 + size * 0.5; /* a band is given by its middle */
    for (uint32_t i = 0; at < end; i++) {
        size_t k = page->count++;
        double left = band.x0 + i * step;
        add(page, k, nd_next_code(text, end, &at), 0, shared);
        place(page, k, nd_box_of(left, top, left + step, bottom), left, bottom - size * 0.2);
    }
}

static void append_rows(nd_page *page, const nd_note *note, const char *text, uint32_t rows, const facts *shared) {
    double x0 = note->box[0], y0 = note->box[1], x1 = note->box[2], y1 = note->box[3];
    double height = (y1 - y0) / rows;
    double size = note->size > 0 ? note->size : nd_min(height * 0.7, 12.0);
    uint32_t at = 0, length, next;
    for (uint32_t i = 0; i < rows; i++, at = next) {
        double middle = y0 + (i + 0.5) * height;
        uint32_t end = row_end(text, note->text.size, at, &length, &next);
        if (i)
            add_line_end(page, x0, middle, shared);
        lay_out(page, text, at, end, length, (nd_box){x0, middle, x1, middle}, size, shared);
    }
}

static int append_note(nd_document *document, nd_page *page, nd_note *note) {
    const char *text = document->pool.data + note->text.at;
    uint32_t rows = 1, length, next;
    for (row_end(text, note->text.size, 0, &length, &next); next; rows++)
        row_end(text, note->text.size, next, &length, &next);
    facts shared;
    if (no_facts(document, &shared) != ND_OK)
        return ND_NO_MEMORY;
    double height = ((double)note->box[3] - note->box[1]) / rows;
    shared.size = note->size > 0 ? note->size : (float)nd_min(height * 0.7, 12.0);
    shared.flags = note->flag;
    if (page->count)
        add_line_end(page, note->box[0], note->box[1], &shared);
    note->first_char = (int32_t)page->count;
    append_rows(page, note, text, rows, &shared);
    note->char_count = (uint32_t)(page->count - (size_t)note->first_char);
    return ND_OK;
}

int nd_append_notes(nd_document *document, nd_page *page) {
    nd_note *notes = (nd_note *)document->notes.data;
    for (size_t i = 0; i < document->notes.count; i++)
        if (notes[i].flag && notes[i].text.size && append_note(document, page, &notes[i]) != ND_OK)
            return ND_NO_MEMORY;
    return ND_OK;
}
