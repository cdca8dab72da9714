"""What the C files of pdftext offer to its Cython wrapper; pdftext_impl.h says what each is."""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

cdef extern from "pdftext_impl.h" nogil:
    enum: ND_OK, ND_NO_MEMORY, ND_NO_PAGE, ND_NO_TEXT
    enum: ND_BOLD, ND_ITALIC, ND_MONO, ND_GENERATED, ND_HYPHEN, ND_UNMAPPED, ND_GARBAGE
    enum: ND_INVISIBLE, ND_FIELD, ND_ANNOTATION, ND_SUPERSCRIPT
    enum: ND_RULE_HORIZONTAL, ND_RULE_VERTICAL, ND_RULE_BOX, ND_RULE_FILL, ND_OBLIQUE
    const char *const *nd_note_kinds

    ctypedef struct nd_vector:
        char *data
        size_t count
    ctypedef struct nd_text:
        uint32_t at, size
    ctypedef struct nd_font:
        nd_text name
        uint16_t flags, weight
        uint8_t embedded
    ctypedef struct nd_link:
        float box[4]
        nd_text uri
        int32_t page
        uint8_t has_uri
    ctypedef struct nd_note:
        nd_text name, text
        float box[4]
        uint8_t kind
        int32_t first_char
        uint32_t char_count
    ctypedef struct nd_tag:
        nd_text role, alt
        uint16_t depth, row_span, column_span
        uint32_t mcid_at, mcid_count
    ctypedef struct nd_entry:
        nd_text title
        uint16_t level
        int32_t page
    ctypedef struct nd_page:
        void *block
        float width, height
        int rotation
        size_t count, rule_count, image_count, link_count, note_count, tag_count
        uint32_t paths_skipped
        nd_text label
        float *loose
        float *tight
        float *origin
        float *size
        float *rule_box
        float *rule_width
        float *image_box
        uint32_t *codepoint
        uint32_t *colour
        uint32_t *rule_colour
        uint32_t *image_pixels
        int32_t *mcid
        uint16_t *font
        uint16_t *weight
        uint16_t *flags
        uint8_t *direction
        uint8_t *rule_kind
        nd_link *links
        nd_note *notes
        nd_tag *tags
        int32_t *tag_mcids
        char *pool
    ctypedef struct nd_document:
        int page_count, tagged
        nd_vector fonts, font_names, pool

    int nd_open_library(const char *path, char *why, size_t why_size)
    void nd_initialise(const char *const *font_paths)
    unsigned long nd_open(nd_document *document, const void *data, size_t size, const char *password)
    void nd_close(nd_document *document)
    int nd_file_version(const nd_document *document)
    int nd_read_page(nd_document *document, int index, nd_page *page)
    int nd_read_metadata(nd_document *document, const char *key, nd_text *text)
    int nd_read_outline(nd_document *document, nd_vector *entries)
    void nd_release(nd_vector *vector)

    ctypedef struct nd_held_font:
        void *font
        const char *name
        size_t name_size
        const unsigned char *data
        size_t size
        int in_collection

    int nd_watch_fonts()
    void *nd_own_font(const char *face)
    void *nd_own_choice(int weight, int italic, int charset, int pitch, const char *face)
    unsigned long nd_own_table(void *font, unsigned table, unsigned char *buffer, unsigned long room)
    void nd_serve_fonts(nd_held_font *fonts, size_t count)
    const void *nd_map_file(const char *path, size_t *size)
    void nd_unmap(const void *data, size_t size)
