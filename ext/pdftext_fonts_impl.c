/* Fonts of a document: what a font says of itself, in its descriptor and in its name. */
#include "pdftext_impl.h"

#include <string.h>

/* Font descriptor flags (ISO 32000-1, table 123). */
enum { FIXED_PITCH = 1, DESCRIPTOR_ITALIC = 1 << 6, FORCE_BOLD = 1 << 18 };

/* Computer Modern and its kin name their bold, italic and typewriter cuts by letters only; URW calls bold "Medi". */
static const char *const BOLD_NAMES[] = {
    "bold", "black", "heavy", "demi", "-bd", "cmbx", "cmssbx", "sfbx", "ecbx", "cmb10", NULL};
static const char *const ITALIC_NAMES[] = {"italic", "oblique", "cmti", "cmmi", "cmsl", "sfti", NULL};
static const char *const MONO_NAMES[] = {"mono", "courier", "consola", "typewriter", "cmtt", "sftt", NULL};

enum { FONTS_MAX = 0xFFFF, NAME_LOOKED_AT = 255 };

static int names_any(const char *name, const char *const *words) {
    for (; *words; words++)
        if (strstr(name, *words))
            return 1;
    return 0;
}

static void lower_case(char *to, const char *name, size_t size) {
    if (size > NAME_LOOKED_AT)
        size = NAME_LOOKED_AT;
    for (size_t i = 0; i < size; i++)
        to[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i];
    to[size] = 0;
}

static int has_subset_prefix(const char *name, size_t size) {
    if (size < 7 || name[6] != '+')
        return 0;
    for (int i = 0; i < 6; i++)
        if (name[i] < 'A' || name[i] > 'Z')
            return 0;
    return 1;
}

static uint16_t style_flags(nd_handle font, const char *name, size_t size) {
    char lower[NAME_LOOKED_AT + 1];
    lower_case(lower, name, size);
    int angle = 0, descriptor = nd_pdfium.FPDFFont_GetFlags(font);
    nd_pdfium.FPDFFont_GetItalicAngle(font, &angle);
    descriptor = descriptor > 0 ? descriptor : 0;
    uint16_t flags = 0;
    /* Not by weight: PDFium computes it from StemV, which many programs fill with nonsense (plain ArialMT: 900). */
    if (descriptor & FORCE_BOLD || names_any(lower, BOLD_NAMES) || (strstr(lower, "-medi") && !strstr(lower, "-medium")))
        flags |= ND_BOLD;
    if (angle || descriptor & DESCRIPTOR_ITALIC || names_any(lower, ITALIC_NAMES))
        flags |= ND_ITALIC;
    if (descriptor & FIXED_PITCH || names_any(lower, MONO_NAMES))
        flags |= ND_MONO;
    return flags;
}

static uint64_t hash_of(const nd_font *font, const char *name) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (uint32_t i = 0; i < font->name.size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    hash = (hash ^ font->flags) * 1099511628211u;
    hash = (hash ^ font->weight) * 1099511628211u;
    return (hash ^ font->embedded) * 1099511628211u;
}

static int same(const nd_document *document, const nd_font *a, const nd_font *b) {
    return a->hash == b->hash && a->flags == b->flags && a->weight == b->weight && a->embedded == b->embedded &&
           a->name.size == b->name.size &&
           !memcmp(document->font_names.data + a->name.at, document->font_names.data + b->name.at, a->name.size);
}

/* Fonts are told apart by value: two subsets of one font with the same name and style are one entry. A handle would not
 * do, because PDFium may free a font with the last page that uses it and give its address to another. */
static int add_font(nd_document *document, nd_font *font, uint16_t *index) {
    font->hash = hash_of(font, document->font_names.data + font->name.at);
    const nd_font *known = (const nd_font *)document->fonts.data;
    for (size_t i = 0; i < document->fonts.count; i++)
        if (same(document, font, &known[i])) {
            document->font_names.count = font->name.at;
            *index = (uint16_t)i;
            return ND_OK;
        }
    if (document->fonts.count == FONTS_MAX) {
        document->font_names.count = font->name.at;
        *index = FONTS_MAX - 1;
        return ND_OK;
    }
    nd_font *added = nd_push(&document->fonts, sizeof *added, 1);
    if (!added)
        return ND_NO_MEMORY;
    *added = *font;
    *index = (uint16_t)(document->fonts.count - 1);
    return ND_OK;
}

/* The index of a font of PDFium's; of the font without a name for NULL. */
int nd_font_index(nd_document *document, nd_handle handle, uint16_t *index) {
    nd_font font = {.embedded = 0};
    nd_vector *names = &document->font_names;
    /* A name of no bytes needs a place as well. */
    if (!names->data && !nd_push(names, 1, 1))
        return ND_NO_MEMORY;
    size_t start = names->count;
    font.name.at = (uint32_t)start;
    if (handle) {
        ND_FETCH(names, &font.name, FPDFFont_GetBaseFontName, handle);
        const char *name = names->data + start;
        font.name.size = (uint32_t)strnlen(name, font.name.size);
        if (has_subset_prefix(name, font.name.size)) {
            font.name.size -= 7;
            memmove(names->data + start, names->data + start + 7, font.name.size);
        }
        names->count = start + font.name.size;
        int weight = nd_pdfium.FPDFFont_GetWeight(handle);
        font.weight = (uint16_t)(weight < 0 ? 0 : weight > 900 ? 900 : weight);
        font.flags = style_flags(handle, names->data + start, font.name.size);
        font.embedded = nd_pdfium.FPDFFont_GetIsEmbedded(handle) == 1;
    }
    return add_font(document, &font, index);
}
