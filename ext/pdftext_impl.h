/* The extraction kernel over libpdfium: what the C files of pdftext share.
 *
 * libpdfium is opened at run time (it ships in the pypdfium2 wheel, which has no headers), so the functions we use are
 * declared here with our own prototypes, after PDFium's public headers: https://pdfium.googlesource.com/pdfium/+/refs/heads/main/public/
 * PDFium is not safe for threads: one document in one thread at a time.
 */
#ifndef NDFD_PDFTEXT_IMPL_H
#define NDFD_PDFTEXT_IMPL_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(_WIN64)
#define ND_CALL __stdcall
#else
#define ND_CALL
#endif

typedef void *nd_handle;
typedef struct { float left, top, right, bottom; } nd_rectf;    /* FS_RECTF */
typedef struct { float a, b, c, d, e, f; } nd_matrixf;          /* FS_MATRIX */

/* result, name, parameters */
#define ND_FUNCTIONS(F) \
    F(void, FPDF_InitLibraryWithConfig, (const void *config)) \
    F(nd_handle, FPDF_LoadMemDocument64, (const void *data, size_t size, const char *password)) \
    F(void, FPDF_CloseDocument, (nd_handle document)) \
    F(nd_handle, FPDF_CreateNewDocument, (void)) \
    F(nd_handle, FPDFText_LoadStandardFont, (nd_handle document, const char *font)) \
    F(void, FPDFFont_Close, (nd_handle font)) \
    F(void *, FPDF_GetDefaultSystemFontInfo, (void)) \
    F(void, FPDF_SetSystemFontInfo, (void *info)) \
    F(unsigned long, FPDF_GetLastError, (void)) \
    F(int, FPDF_GetFileVersion, (nd_handle document, int *version)) \
    F(int, FPDF_GetPageCount, (nd_handle document)) \
    F(int, FPDF_GetFormType, (nd_handle document)) \
    F(unsigned long, FPDF_GetMetaText, (nd_handle document, const char *tag, void *buffer, unsigned long size)) \
    F(unsigned long, FPDF_GetPageLabel, (nd_handle document, int page, void *buffer, unsigned long size)) \
    F(int, FPDFCatalog_IsTagged, (nd_handle document)) \
    F(unsigned long, FPDFCatalog_GetLanguage, (nd_handle document, void *buffer, unsigned long size)) \
    F(nd_handle, FPDFDOC_InitFormFillEnvironment, (nd_handle document, void *info)) \
    F(void, FPDFDOC_ExitFormFillEnvironment, (nd_handle form)) \
    F(void, FORM_OnAfterLoadPage, (nd_handle page, nd_handle form)) \
    F(void, FORM_OnBeforeClosePage, (nd_handle page, nd_handle form)) \
    F(nd_handle, FPDF_LoadPage, (nd_handle document, int index)) \
    F(void, FPDF_ClosePage, (nd_handle page)) \
    F(int, FPDF_GetPageBoundingBox, (nd_handle page, nd_rectf *rect)) \
    F(int, FPDFPage_GetRotation, (nd_handle page)) \
    F(nd_handle, FPDFText_LoadPage, (nd_handle page)) \
    F(void, FPDFText_ClosePage, (nd_handle text)) \
    F(int, FPDFText_CountChars, (nd_handle text)) \
    F(unsigned int, FPDFText_GetUnicode, (nd_handle text, int i)) \
    F(nd_handle, FPDFText_GetTextObject, (nd_handle text, int i)) \
    F(int, FPDFText_IsGenerated, (nd_handle text, int i)) \
    F(int, FPDFText_IsHyphen, (nd_handle text, int i)) \
    F(int, FPDFText_HasUnicodeMapError, (nd_handle text, int i)) \
    F(int, FPDFText_GetCharBox, (nd_handle text, int i, double *left, double *right, double *bottom, double *top)) \
    F(int, FPDFText_GetLooseCharBox, (nd_handle text, int i, nd_rectf *rect)) \
    F(int, FPDFText_GetCharOrigin, (nd_handle text, int i, double *x, double *y)) \
    F(int, FPDFText_GetMatrix, (nd_handle text, int i, nd_matrixf *matrix)) \
    F(nd_handle, FPDFTextObj_GetFont, (nd_handle object)) \
    F(int, FPDFTextObj_GetFontSize, (nd_handle object, float *size)) \
    F(int, FPDFTextObj_GetTextRenderMode, (nd_handle object)) \
    F(size_t, FPDFFont_GetBaseFontName, (nd_handle font, char *buffer, size_t size)) \
    F(int, FPDFFont_GetIsEmbedded, (nd_handle font)) \
    F(int, FPDFFont_GetFlags, (nd_handle font)) \
    F(int, FPDFFont_GetWeight, (nd_handle font)) \
    F(int, FPDFFont_GetItalicAngle, (nd_handle font, int *angle)) \
    F(int, FPDFPage_CountObjects, (nd_handle page)) \
    F(nd_handle, FPDFPage_GetObject, (nd_handle page, int i)) \
    F(int, FPDFPageObj_GetType, (nd_handle object)) \
    F(int, FPDFPageObj_GetMarkedContentID, (nd_handle object)) \
    F(int, FPDFPageObj_GetMatrix, (nd_handle object, nd_matrixf *matrix)) \
    F(int, FPDFPageObj_GetFillColor, (nd_handle object, unsigned *r, unsigned *g, unsigned *b, unsigned *a)) \
    F(int, FPDFPageObj_GetStrokeColor, (nd_handle object, unsigned *r, unsigned *g, unsigned *b, unsigned *a)) \
    F(int, FPDFPageObj_GetStrokeWidth, (nd_handle object, float *width)) \
    F(int, FPDFFormObj_CountObjects, (nd_handle object)) \
    F(nd_handle, FPDFFormObj_GetObject, (nd_handle object, unsigned long i)) \
    F(int, FPDFImageObj_GetImagePixelSize, (nd_handle object, unsigned *width, unsigned *height)) \
    F(int, FPDFPath_GetDrawMode, (nd_handle object, int *fill, int *stroke)) \
    F(int, FPDFPath_CountSegments, (nd_handle object)) \
    F(nd_handle, FPDFPath_GetPathSegment, (nd_handle object, int i)) \
    F(int, FPDFPathSegment_GetPoint, (nd_handle segment, float *x, float *y)) \
    F(int, FPDFPathSegment_GetType, (nd_handle segment)) \
    F(int, FPDFPathSegment_GetClose, (nd_handle segment)) \
    F(int, FPDFLink_Enumerate, (nd_handle page, int *position, nd_handle *link)) \
    F(int, FPDFLink_GetAnnotRect, (nd_handle link, nd_rectf *rect)) \
    F(nd_handle, FPDFLink_GetAction, (nd_handle link)) \
    F(nd_handle, FPDFLink_GetDest, (nd_handle document, nd_handle link)) \
    F(unsigned long, FPDFAction_GetType, (nd_handle action)) \
    F(unsigned long, FPDFAction_GetURIPath, (nd_handle document, nd_handle action, void *buffer, unsigned long size)) \
    F(int, FPDFDest_GetDestPageIndex, (nd_handle document, nd_handle destination)) \
    F(nd_handle, FPDFBookmark_GetFirstChild, (nd_handle document, nd_handle bookmark)) \
    F(nd_handle, FPDFBookmark_GetNextSibling, (nd_handle document, nd_handle bookmark)) \
    F(unsigned long, FPDFBookmark_GetTitle, (nd_handle bookmark, void *buffer, unsigned long size)) \
    F(nd_handle, FPDFBookmark_GetDest, (nd_handle document, nd_handle bookmark)) \
    F(int, FPDFPage_GetAnnotCount, (nd_handle page)) \
    F(nd_handle, FPDFPage_GetAnnot, (nd_handle page, int i)) \
    F(void, FPDFPage_CloseAnnot, (nd_handle annotation)) \
    F(int, FPDFAnnot_GetSubtype, (nd_handle annotation)) \
    F(int, FPDFAnnot_GetFlags, (nd_handle annotation)) \
    F(int, FPDFAnnot_GetRect, (nd_handle annotation, nd_rectf *rect)) \
    F(unsigned long, FPDFAnnot_GetStringValue, (nd_handle annotation, const char *key, void *buffer, unsigned long size)) \
    F(int, FPDFAnnot_GetFormFieldType, (nd_handle form, nd_handle annotation)) \
    F(unsigned long, FPDFAnnot_GetFormFieldName, (nd_handle form, nd_handle annotation, void *buffer, unsigned long size)) \
    F(unsigned long, FPDFAnnot_GetFormFieldValue, (nd_handle form, nd_handle annotation, void *buffer, unsigned long size)) \
    F(int, FPDFAnnot_GetOptionCount, (nd_handle form, nd_handle annotation)) \
    F(int, FPDFAnnot_IsOptionSelected, (nd_handle form, nd_handle annotation, int i)) \
    F(unsigned long, FPDFAnnot_GetOptionLabel, (nd_handle form, nd_handle annotation, int i, void *buffer, unsigned long size)) \
    F(int, FPDFAnnot_IsChecked, (nd_handle form, nd_handle annotation)) \
    F(int, FPDFAnnot_GetFontSize, (nd_handle form, nd_handle annotation, float *size)) \
    F(nd_handle, FPDF_StructTree_GetForPage, (nd_handle page)) \
    F(void, FPDF_StructTree_Close, (nd_handle tree)) \
    F(int, FPDF_StructTree_CountChildren, (nd_handle tree)) \
    F(nd_handle, FPDF_StructTree_GetChildAtIndex, (nd_handle tree, int i)) \
    F(unsigned long, FPDF_StructElement_GetType, (nd_handle element, void *buffer, unsigned long size)) \
    F(unsigned long, FPDF_StructElement_GetAltText, (nd_handle element, void *buffer, unsigned long size)) \
    F(unsigned long, FPDF_StructElement_GetActualText, (nd_handle element, void *buffer, unsigned long size)) \
    F(int, FPDF_StructElement_CountChildren, (nd_handle element)) \
    F(nd_handle, FPDF_StructElement_GetChildAtIndex, (nd_handle element, int i)) \
    F(int, FPDF_StructElement_GetChildMarkedContentID, (nd_handle element, int i)) \
    F(int, FPDF_StructElement_GetAttributeCount, (nd_handle element)) \
    F(nd_handle, FPDF_StructElement_GetAttributeAtIndex, (nd_handle element, int i)) \
    F(nd_handle, FPDF_StructElement_Attr_GetValue, (nd_handle attribute, const char *name)) \
    F(int, FPDF_StructElement_Attr_GetNumberValue, (nd_handle value, float *number))

typedef struct {
#define ND_MEMBER(result, name, parameters) result(ND_CALL *name) parameters;
    ND_FUNCTIONS(ND_MEMBER)
#undef ND_MEMBER
} nd_pdfium_functions;

extern nd_pdfium_functions nd_pdfium;

/* Character flags and rule kinds: the numbers of _c/pdftext.pyi. */
enum {
    ND_BOLD = 1, ND_ITALIC = 2, ND_MONO = 4, ND_GENERATED = 8, ND_HYPHEN = 16, ND_UNMAPPED = 32, ND_GARBAGE = 64,
    ND_INVISIBLE = 128, ND_FIELD = 256, ND_ANNOTATION = 512, ND_SUPERSCRIPT = 1024
};
enum { ND_RULE_HORIZONTAL, ND_RULE_VERTICAL, ND_RULE_BOX, ND_RULE_FILL };
enum { ND_OBLIQUE = 4 };

/* What a call may answer. */
enum { ND_OK, ND_NO_MEMORY, ND_NO_PAGE, ND_NO_TEXT };

/* A growing array; its memory stays with its owner for the next page. */
typedef struct { char *data; size_t count, capacity; } nd_vector;

/* A string in a text pool: bytes from `at`; UTF-16LE, except fonts' names and URIs. */
typedef struct { uint32_t at, size; } nd_text;

/* x' = a x + c y + e, y' = b x + d y + f (ISO 32000-1, 8.3.3) */
typedef struct { double a, b, c, d, e, f; } nd_matrix;
typedef struct { double x0, y0, x1, y1; } nd_box;

/* From a page's user space to points from its displayed top left: after a swap for a page on its side, x' = sx x + ox and
 * y' = sy y + oy with sx and sy of 1 or -1. One rounding each, so single precision gives what double would. */
typedef struct { int swap; float sx, ox, sy, oy; } nd_frame;

typedef struct { nd_text name; uint64_t hash; uint16_t flags, weight; uint8_t embedded; } nd_font;
typedef struct { float box[4]; float width; uint32_t colour; uint8_t kind; } nd_rule;
typedef struct { float box[4]; uint32_t pixels[2]; } nd_image;
typedef struct { float box[4]; nd_text uri; int32_t page; uint8_t has_uri; } nd_link;
typedef struct {
    nd_text name, text;
    float box[4];
    float size;             /* points; 0 when the annotation does not say */
    uint16_t flag;          /* ND_FIELD or ND_ANNOTATION when its characters belong on the page, 0 for a comment */
    uint8_t kind;           /* index into nd_note_kinds */
    int32_t first_char;
    uint32_t char_count;
} nd_note;
typedef struct { nd_text role, alt; uint16_t depth, row_span, column_span; uint32_t mcid_at, mcid_count; } nd_tag;
typedef struct { nd_text title; uint16_t level; int32_t page; } nd_entry;

extern const char *const nd_note_kinds[];

/* Everything of a page in one block of memory; each pointer points into it. */
typedef struct {
    void *block;
    float width, height;
    int rotation;
    size_t count, rule_count, image_count, link_count, note_count, tag_count;
    uint32_t paths_skipped;
    nd_text label;
    float *loose, *tight, *origin, *size, *rule_box, *rule_width, *image_box;
    uint32_t *codepoint, *colour, *rule_colour, *image_pixels;
    int32_t *mcid;
    uint16_t *font, *weight, *flags;
    uint8_t *direction, *rule_kind;
    nd_link *links;
    nd_note *notes;
    nd_tag *tags;
    int32_t *tag_mcids;
    char *pool;
} nd_page;

typedef struct {
    nd_handle handle, form;
    int page_count, tagged;
    /* Grows with the document: the fonts and their names. */
    nd_vector fonts, font_names;
    /* Scratch of the page at hand. */
    nd_vector pool, rules, images, links, notes, tags, mcids, points;
    double width, height;
    nd_frame frame;
    uint32_t paths_skipped, looked_at, segments, kids_left;
    /* FPDF_FORMFILLINFO, version 2, without a single callback. */
    struct { int version; void *callbacks[48]; } form_info;
} nd_document;

typedef unsigned long nd_error;     /* FPDF_ERR_*, as FPDF_GetLastError gives it */

/* pdftext_impl.c: the library, documents, pages. */
int nd_open_library(const char *path, char *why, size_t why_size);
void nd_initialise(const char *const *font_paths);
nd_error nd_open(nd_document *document, const void *data, size_t size, const char *password);
void nd_close(nd_document *document);
int nd_read_page(nd_document *document, int index, nd_page *page);

/* pdftext_hostfonts_impl.c: the host's fonts, out of memory. */
typedef struct {
    nd_handle font;             /* PDFium's */
    const char *name;
    size_t name_size;
    const unsigned char *data;  /* the whole file */
    size_t size;
    int in_collection;
} nd_held_font;

int nd_watch_fonts(void);
nd_handle nd_own_font(const char *face);
nd_handle nd_own_choice(int weight, int italic, int charset, int pitch, const char *face);
unsigned long nd_own_table(nd_handle font, unsigned table, unsigned char *buffer, unsigned long room);
void nd_serve_fonts(nd_held_font *fonts, size_t count);
const void *nd_map_file(const char *path, size_t *size);
void nd_unmap(const void *data, size_t size);

/* pdftext_memory_impl.c: growing arrays and the text pool. */
void *nd_push(nd_vector *vector, size_t item_size, size_t items);
void nd_release(nd_vector *vector);
void nd_trim(const char *data, nd_text *text);
uint32_t nd_next_code(const char *utf16, uint32_t size, uint32_t *at);

/* pdftext_characters_impl.c, pdftext_fonts_impl.c */
int nd_read_characters(nd_document *document, nd_handle text, nd_page *page);
int nd_append_notes(nd_document *document, nd_page *page);
size_t nd_note_characters(const nd_document *document);
int nd_font_index(nd_document *document, nd_handle font, uint16_t *index);

/* pdftext_objects_impl.c */
int nd_read_objects(nd_document *document, nd_handle page);
uint32_t nd_colour(int (ND_CALL *call)(nd_handle, unsigned *, unsigned *, unsigned *, unsigned *), nd_handle object);

/* pdftext_annotations_impl.c */
int nd_read_notes(nd_document *document, nd_handle page);
int nd_read_links(nd_document *document, nd_handle page);

/* pdftext_structure_impl.c */
int nd_read_tags(nd_document *document, nd_handle page);
int nd_read_label(nd_document *document, int index, nd_text *label);
int nd_read_metadata(nd_document *document, const char *key, nd_text *text);
int nd_file_version(const nd_document *document);
int nd_read_outline(nd_document *document, nd_vector *entries);

/* Most strings fit, so that PDFium is called once for them and not twice. */
#define ND_TEXT_GUESS 256

/* Fetches a string of PDFium's into `pool` and names it in `out`; returns ND_NO_MEMORY from the calling function. */
#define ND_FETCH(pool, out, function, ...) do { \
        nd_vector *pool_ = (pool); \
        size_t at_ = pool_->count; \
        unsigned long needed_ = ND_TEXT_GUESS; \
        for (unsigned long room_ = 0; room_ < needed_; ) { \
            room_ = needed_; \
            pool_->count = at_; \
            char *to_ = nd_push(pool_, 1, room_); \
            if (!to_) return ND_NO_MEMORY; \
            needed_ = (unsigned long)nd_pdfium.function(__VA_ARGS__, (void *)to_, room_); \
        } \
        (out)->at = (uint32_t)at_; \
        (out)->size = (uint32_t)needed_; \
        pool_->count = at_ + needed_; \
    } while (0)

/* The same for UTF-16: the terminator is cut off. */
#define ND_FETCH_WIDE(pool, out, ...) do { \
        ND_FETCH(pool, out, __VA_ARGS__); \
        nd_trim((pool)->data, out); \
        (pool)->count = (size_t)(out)->at + (out)->size; \
    } while (0)

static inline double nd_within(double value) {
    value += 0.0; /* no negative zero */
    value = value > -1e6 ? value : -1e6;
    return value < 1e6 ? value : 1e6;
}

static inline double nd_min(double a, double b) { return b < a ? b : a; }
static inline double nd_max(double a, double b) { return a > b ? a : b; }

static inline nd_box nd_box_of(double xa, double ya, double xb, double yb) {
    xa = nd_within(xa); ya = nd_within(ya); xb = nd_within(xb); yb = nd_within(yb);
    return (nd_box){nd_min(xa, xb), nd_min(ya, yb), nd_max(xb, xa), nd_max(yb, ya)};
}

static inline double nd_x(const nd_matrix *m, double x, double y) { return m->a * x + m->c * y + m->e; }
static inline double nd_y(const nd_matrix *m, double x, double y) { return m->b * x + m->d * y + m->f; }

static inline float nd_within_single(float value) {
    value += 0.0f; /* no negative zero */
    value = value > -1e6f ? value : -1e6f;
    return value < 1e6f ? value : 1e6f;
}

static inline void nd_place_point(const nd_frame *frame, float x, float y, float *to) {
    to[0] = nd_within_single(frame->sx * (frame->swap ? y : x) + frame->ox);
    to[1] = nd_within_single(frame->sy * (frame->swap ? x : y) + frame->oy);
}

/* The upright box of two opposite corners. */
static inline void nd_place_box(const nd_frame *frame, float xa, float ya, float xb, float yb, float *to) {
    float a[2], b[2];
    nd_place_point(frame, xa, ya, a);
    nd_place_point(frame, xb, yb, b);
    to[0] = b[0] < a[0] ? b[0] : a[0];
    to[1] = b[1] < a[1] ? b[1] : a[1];
    to[2] = b[0] < a[0] ? a[0] : b[0];
    to[3] = b[1] < a[1] ? a[1] : b[1];
}

static inline void nd_store_box(float *to, nd_box box) {
    to[0] = (float)box.x0; to[1] = (float)box.y0; to[2] = (float)box.x1; to[3] = (float)box.y1;
}

#endif
