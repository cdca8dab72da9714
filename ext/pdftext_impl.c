/* libpdfium, documents and pages. */
#include "pdftext_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

nd_pdfium_functions nd_pdfium;

/* PDFium keeps pointing at its configuration: FPDF_LIBRARY_CONFIG, of which version 2 ends with v8_slot. */
static struct {
    int version;
    const char *const *font_paths;
    void *isolate;
    unsigned v8_slot;
    void *not_read[4];
} configuration;

#ifdef _WIN32
/* Written after the documentation of LoadLibraryExW and GetProcAddress; not run by us on Windows yet. */
static void *open_shared(const char *path, char *why, size_t why_size) {
    wchar_t wide[1024];
    HMODULE library = NULL;
    if (MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, 1024))
        library = LoadLibraryExW(wide, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (!library)
        snprintf(why, why_size, "%s cannot be loaded: error %lu", path, GetLastError());
    return (void *)library;
}

static void *find_symbol(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
#else
static void *open_shared(const char *path, char *why, size_t why_size) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(why, why_size, "%s", dlerror());
    return library;
}

static void *find_symbol(void *library, const char *name) { return dlsym(library, name); }
#endif

/* Fills nd_pdfium from the library at `path`; on failure says in `why` what is missing, and returns 0. */
int nd_open_library(const char *path, char *why, size_t why_size) {
    void *library = open_shared(path, why, why_size);
    if (!library)
        return 0;
    nd_pdfium_functions found;
    void *symbol;
#define ND_RESOLVE(result, name, parameters) \
    symbol = find_symbol(library, #name); \
    if (!symbol) { \
        snprintf(why, why_size, "%s has no function " #name, path); \
        return 0; \
    } \
    memcpy(&found.name, &symbol, sizeof symbol);
    ND_FUNCTIONS(ND_RESOLVE)
#undef ND_RESOLVE
    nd_pdfium = found;
    return 1;
}

/* `font_paths` ends with NULL and must live as long as the process; NULL leaves PDFium the host's usual font folders. */
void nd_initialise(const char *const *font_paths) {
    configuration.version = 2;
    configuration.font_paths = font_paths;
    nd_pdfium.FPDF_InitLibraryWithConfig(&configuration);
}

/* 0, or the error that PDFium gives. */
nd_error nd_open(nd_document *document, const void *data, size_t size, const char *password) {
    document->handle = nd_pdfium.FPDF_LoadMemDocument64(data, size, password);
    if (!document->handle) {
        nd_error error = nd_pdfium.FPDF_GetLastError();
        return error ? error : 1;
    }
    int count = nd_pdfium.FPDF_GetPageCount(document->handle);
    document->page_count = count > 0 ? count : 0;
    document->tagged = nd_pdfium.FPDFCatalog_IsTagged(document->handle) != 0;
    if (nd_pdfium.FPDF_GetFormType(document->handle)) {
        document->form_info.version = 2;
        document->form = nd_pdfium.FPDFDOC_InitFormFillEnvironment(document->handle, &document->form_info);
    }
    return 0;
}

void nd_close(nd_document *document) {
    if (document->form)
        nd_pdfium.FPDFDOC_ExitFormFillEnvironment(document->form);
    if (document->handle)
        nd_pdfium.FPDF_CloseDocument(document->handle);
    nd_vector *vectors[] = {&document->fonts, &document->font_names, &document->pool, &document->rules, &document->images,
                            &document->links, &document->notes, &document->tags, &document->mcids, &document->points};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        nd_release(vectors[i]);
    memset(document, 0, sizeof *document);
}

/* The page's size as displayed, and its frame. */
static void find_frame(nd_document *document, nd_handle handle, nd_page *page) {
    nd_rectf box = {0};
    nd_pdfium.FPDF_GetPageBoundingBox(handle, &box);
    int turns = nd_pdfium.FPDFPage_GetRotation(handle) & 3;
    const nd_frame frames[] = {{0, 1, -box.left, -1, box.top},
                               {1, 1, -box.bottom, 1, -box.left},
                               {0, -1, box.right, 1, -box.bottom},
                               {1, -1, box.top, -1, box.right}};
    document->frame = frames[turns];
    page->rotation = turns * 90;
    page->width = turns % 2 ? box.top - box.bottom : box.right - box.left;
    page->height = turns % 2 ? box.right - box.left : box.top - box.bottom;
    document->width = page->width;
    document->height = page->height;
}

static void clear_scratch(nd_document *document) {
    document->pool.count = document->rules.count = document->images.count = document->links.count = 0;
    document->notes.count = document->tags.count = document->mcids.count = document->points.count = 0;
}

/* Hands out consecutive pieces of a block, each on a multiple of 8; with a block of NULL it only counts. */
typedef struct { char *block; size_t used; } cutter;

static void *cut(cutter *c, size_t size) {
    void *piece = c->block ? c->block + c->used : NULL;
    c->used += (size + 7) & ~(size_t)7;
    return piece;
}

static void cut_page(cutter *c, const nd_document *document, nd_page *page, size_t characters) {
    size_t rules = document->rules.count, images = document->images.count;
    page->loose = cut(c, 16 * characters);
    page->tight = cut(c, 16 * characters);
    page->origin = cut(c, 8 * characters);
    page->codepoint = cut(c, 4 * characters);
    page->size = cut(c, 4 * characters);
    page->colour = cut(c, 4 * characters);
    page->mcid = cut(c, 4 * characters);
    page->font = cut(c, 2 * characters);
    page->weight = cut(c, 2 * characters);
    page->flags = cut(c, 2 * characters);
    page->direction = cut(c, characters);
    page->rule_box = cut(c, 16 * rules);
    page->rule_width = cut(c, 4 * rules);
    page->rule_colour = cut(c, 4 * rules);
    page->rule_kind = cut(c, rules);
    page->image_box = cut(c, 16 * images);
    page->image_pixels = cut(c, 8 * images);
    page->links = cut(c, sizeof *page->links * document->links.count);
    page->notes = cut(c, sizeof *page->notes * document->notes.count);
    page->tags = cut(c, sizeof *page->tags * document->tags.count);
    page->tag_mcids = cut(c, sizeof *page->tag_mcids * document->mcids.count);
    page->pool = cut(c, document->pool.count);
}

static int allocate(const nd_document *document, nd_page *page, size_t characters) {
    cutter c = {NULL, 0};
    cut_page(&c, document, page, characters);
    page->block = c.block = malloc(c.used ? c.used : 1);
    if (!page->block)
        return ND_NO_MEMORY;
    c.used = 0;
    cut_page(&c, document, page, characters);
    return ND_OK;
}

static void copy_vector(void *to, const nd_vector *from, size_t item_size) {
    if (from->count)
        memcpy(to, from->data, from->count * item_size);
}

static void copy_objects(const nd_document *document, nd_page *page) {
    const nd_rule *rules = (const nd_rule *)document->rules.data;
    const nd_image *images = (const nd_image *)document->images.data;
    page->rule_count = document->rules.count;
    for (size_t i = 0; i < page->rule_count; i++) {
        memcpy(page->rule_box + 4 * i, rules[i].box, sizeof rules[i].box);
        page->rule_width[i] = rules[i].width;
        page->rule_colour[i] = rules[i].colour;
        page->rule_kind[i] = rules[i].kind;
    }
    page->image_count = document->images.count;
    for (size_t i = 0; i < page->image_count; i++) {
        memcpy(page->image_box + 4 * i, images[i].box, sizeof images[i].box);
        memcpy(page->image_pixels + 2 * i, images[i].pixels, sizeof images[i].pixels);
    }
    page->paths_skipped = document->paths_skipped;
}

static void copy_values(const nd_document *document, nd_page *page) {
    page->link_count = document->links.count;
    page->note_count = document->notes.count;
    page->tag_count = document->tags.count;
    copy_vector(page->links, &document->links, sizeof(nd_link));
    copy_vector(page->notes, &document->notes, sizeof(nd_note));
    copy_vector(page->tags, &document->tags, sizeof(nd_tag));
    copy_vector(page->tag_mcids, &document->mcids, sizeof(int32_t));
    copy_vector(page->pool, &document->pool, 1);
}

static int read_around(nd_document *document, nd_handle handle, int index, nd_page *page) {
    clear_scratch(document);
    find_frame(document, handle, page);
    if (nd_read_label(document, index, &page->label) != ND_OK || nd_read_notes(document, handle) != ND_OK ||
        nd_read_objects(document, handle) != ND_OK || nd_read_links(document, handle) != ND_OK)
        return ND_NO_MEMORY;
    return document->tagged ? nd_read_tags(document, handle) : ND_OK;
}

static int read_text(nd_document *document, nd_handle text, nd_page *page) {
    int count = nd_pdfium.FPDFText_CountChars(text);
    size_t characters = (count > 0 ? (size_t)count : 0) + nd_note_characters(document);
    if (allocate(document, page, characters) != ND_OK || nd_read_characters(document, text, page) != ND_OK)
        return ND_NO_MEMORY;
    return nd_append_notes(document, page);
}

static int read_open_page(nd_document *document, nd_handle handle, int index, nd_page *page) {
    if (read_around(document, handle, index, page) != ND_OK)
        return ND_NO_MEMORY;
    nd_handle text = nd_pdfium.FPDFText_LoadPage(handle);
    if (!text)
        return ND_NO_TEXT;
    int result = read_text(document, text, page);
    nd_pdfium.FPDFText_ClosePage(text);
    if (result != ND_OK)
        return result;
    copy_objects(document, page);
    copy_values(document, page);
    return ND_OK;
}

/* Fills *page, whose block the caller frees, whatever the answer.
 *
 * The page is closed at once: keeping the last 1 to 32 pages open, so that the fonts they share stay built, saved 1 % of
 * the time at most (545 pages of long documents), as did other malloc settings and transparent huge pages for the code. */
int nd_read_page(nd_document *document, int index, nd_page *page) {
    memset(page, 0, sizeof *page);
    nd_handle handle = nd_pdfium.FPDF_LoadPage(document->handle, index);
    if (!handle)
        return ND_NO_PAGE;
    if (document->form)
        nd_pdfium.FORM_OnAfterLoadPage(handle, document->form);
    int result = read_open_page(document, handle, index, page);
    if (document->form)
        nd_pdfium.FORM_OnBeforeClosePage(handle, document->form);
    nd_pdfium.FPDF_ClosePage(handle);
    return result;
}
