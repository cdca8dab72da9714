/* The structure tree of a page, and what a document says of itself: outline, metadata, page labels. */
#include "pdftext_impl.h"

#include <stdlib.h>
#include <string.h>

enum { ELEMENTS_MAX = 20000, KIDS_MAX = 200000, DEPTH_MAX = 64, OUTLINE_MAX = 10000 };
/* A cell that spans more is a mistake or an attack. */
enum { SPAN_MAX = 1000 };

static void read_span(nd_handle attribute, const char *name, uint16_t *span) {
    nd_handle value = nd_pdfium.FPDF_StructElement_Attr_GetValue(attribute, name);
    float number = 0;
    if (value && nd_pdfium.FPDF_StructElement_Attr_GetNumberValue(value, &number) && number >= 1 && number <= SPAN_MAX)
        *span = (uint16_t)number;
}

static void read_spans(nd_handle element, nd_tag *tag) {
    int count = nd_pdfium.FPDF_StructElement_GetAttributeCount(element);
    for (int i = 0; i < count; i++) {
        nd_handle attribute = nd_pdfium.FPDF_StructElement_GetAttributeAtIndex(element, i);
        if (!attribute)
            continue;
        read_span(attribute, "RowSpan", &tag->row_span);
        read_span(attribute, "ColSpan", &tag->column_span);
    }
}

static int is_cell(const nd_document *document, nd_text role) {
    const char *name = document->pool.data + role.at;
    return role.size == 4 && (!memcmp(name, "T\0D\0", 4) || !memcmp(name, "T\0H\0", 4));
}

static int read_mcids(nd_document *document, nd_handle element, int kids, nd_tag *tag) {
    tag->mcid_at = (uint32_t)document->mcids.count;
    for (int i = 0; i < kids; i++) {
        int32_t mcid = nd_pdfium.FPDF_StructElement_GetChildMarkedContentID(element, i);
        if (mcid < 0)
            continue;
        int32_t *added = nd_push(&document->mcids, sizeof *added, 1);
        if (!added)
            return ND_NO_MEMORY;
        *added = mcid;
    }
    tag->mcid_count = (uint32_t)document->mcids.count - tag->mcid_at;
    return ND_OK;
}

/* Depth first; elements of other pages are NULL to PDFium. */
static int read_element(nd_document *document, nd_handle element, uint16_t depth) {
    if (document->tags.count >= ELEMENTS_MAX || depth >= DEPTH_MAX)
        return ND_OK;
    nd_tag tag = {.depth = depth, .row_span = 1, .column_span = 1};
    ND_FETCH_WIDE(&document->pool, &tag.role, FPDF_StructElement_GetType, element);
    ND_FETCH_WIDE(&document->pool, &tag.alt, FPDF_StructElement_GetAltText, element);
    if (!tag.alt.size)
        ND_FETCH_WIDE(&document->pool, &tag.alt, FPDF_StructElement_GetActualText, element);
    if (is_cell(document, tag.role))
        read_spans(element, &tag);
    int kids = nd_pdfium.FPDF_StructElement_CountChildren(element);
    kids = kids < 0 ? 0 : kids;
    if ((uint32_t)kids > document->kids_left)
        kids = (int)document->kids_left;
    document->kids_left -= (uint32_t)kids;
    if (read_mcids(document, element, kids, &tag) != ND_OK)
        return ND_NO_MEMORY;
    nd_tag *added = nd_push(&document->tags, sizeof *added, 1);
    if (!added)
        return ND_NO_MEMORY;
    *added = tag;
    for (int i = 0; i < kids; i++) {
        nd_handle kid = nd_pdfium.FPDF_StructElement_GetChildAtIndex(element, i);
        if (kid && read_element(document, kid, (uint16_t)(depth + 1)) != ND_OK)
            return ND_NO_MEMORY;
    }
    return ND_OK;
}

int nd_read_tags(nd_document *document, nd_handle page) {
    nd_handle tree = nd_pdfium.FPDF_StructTree_GetForPage(page);
    if (!tree)
        return ND_OK;
    document->kids_left = KIDS_MAX;
    int count = nd_pdfium.FPDF_StructTree_CountChildren(tree), result = ND_OK;
    for (int i = 0; i < count && result == ND_OK; i++) {
        nd_handle element = nd_pdfium.FPDF_StructTree_GetChildAtIndex(tree, i);
        if (element)
            result = read_element(document, element, 0);
    }
    nd_pdfium.FPDF_StructTree_Close(tree);
    return result;
}

int nd_read_label(nd_document *document, int index, nd_text *label) {
    ND_FETCH_WIDE(&document->pool, label, FPDF_GetPageLabel, document->handle, index);
    return ND_OK;
}

/* One entry of the information dictionary, or the catalogue's language for NULL. */
int nd_read_metadata(nd_document *document, const char *key, nd_text *text) {
    document->pool.count = 0;
    if (key)
        ND_FETCH_WIDE(&document->pool, text, FPDF_GetMetaText, document->handle, key);
    else
        ND_FETCH_WIDE(&document->pool, text, FPDFCatalog_GetLanguage, document->handle);
    return ND_OK;
}

/* 17 for PDF 1.7; 0 when the file does not say. */
int nd_file_version(const nd_document *document) {
    int version = 0;
    return nd_pdfium.FPDF_GetFileVersion(document->handle, &version) && version > 0 ? version : 0;
}

/* The entries met so far: an open-addressed table that is never more than a third full. */
enum { SEEN_SLOTS = 32768 };

static int seen_before(nd_handle *seen, nd_handle handle) {
    uintptr_t key = (uintptr_t)handle;
    size_t slot = (size_t)((key >> 4) * 2654435761u) % SEEN_SLOTS;
    while (seen[slot] && seen[slot] != handle)
        slot = (slot + 1) % SEEN_SLOTS;
    if (seen[slot])
        return 1;
    seen[slot] = handle;
    return 0;
}

static int add_entry(nd_document *document, nd_handle bookmark, uint16_t level, nd_vector *entries) {
    nd_entry entry = {.level = level, .page = -1};
    ND_FETCH_WIDE(&document->pool, &entry.title, FPDFBookmark_GetTitle, bookmark);
    /* Looks into a go-to action as well. */
    nd_handle destination = nd_pdfium.FPDFBookmark_GetDest(document->handle, bookmark);
    if (destination)
        entry.page = nd_pdfium.FPDFDest_GetDestPageIndex(document->handle, destination);
    nd_entry *added = nd_push(entries, sizeof *added, 1);
    if (!added)
        return ND_NO_MEMORY;
    *added = entry;
    return ND_OK;
}

static int walk_outline(nd_document *document, nd_handle *seen, nd_vector *entries) {
    nd_handle path[DEPTH_MAX];
    uint16_t depth = 1;
    path[0] = nd_pdfium.FPDFBookmark_GetFirstChild(document->handle, NULL);
    while (depth && entries->count < OUTLINE_MAX) {
        nd_handle bookmark = path[depth - 1];
        if (!bookmark || seen_before(seen, bookmark)) {
            depth--;
            continue;
        }
        if (add_entry(document, bookmark, depth, entries) != ND_OK)
            return ND_NO_MEMORY;
        path[depth - 1] = nd_pdfium.FPDFBookmark_GetNextSibling(document->handle, bookmark);
        if (depth < DEPTH_MAX)
            path[depth++] = nd_pdfium.FPDFBookmark_GetFirstChild(document->handle, bookmark);
    }
    return ND_OK;
}

/* Depth first. A damaged outline may loop: an entry met twice ends its branch. The titles are left in the pool. */
int nd_read_outline(nd_document *document, nd_vector *entries) {
    document->pool.count = 0;
    nd_handle *seen = calloc(SEEN_SLOTS, sizeof *seen);
    if (!seen)
        return ND_NO_MEMORY;
    int result = walk_outline(document, seen, entries);
    free(seen);
    return result;
}
