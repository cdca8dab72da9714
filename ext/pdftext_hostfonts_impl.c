/* The host's fonts, out of memory: what stands between PDFium and its own reader of font files.
 *
 * PDFium's own font information scans the folders, and goes on deciding which font stands in for which. It opens a font's
 * file each time that a document needs it, which a confined worker may not; so the bytes come from where native/host_fonts.py
 * has put them, and a font whose bytes are not there is as if it were not installed. */
#include "pdftext_impl.h"

#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

enum { WHOLE_FILE = 0, WHOLE_COLLECTION = 0x74746366 /* 'ttcf' */ };
enum { NORMAL_WEIGHT = 400 };

/* FPDF_SYSFONTINFO, version 1 */
typedef struct nd_font_info nd_font_info;
struct nd_font_info {
    int version;
    void (*release)(nd_font_info *info);
    void (*enumerate)(nd_font_info *info, void *mapper);
    nd_handle (*choose)(nd_font_info *info, int weight, int italic, int charset, int pitch, const char *face, int *exact);
    nd_handle (*find)(nd_font_info *info, const char *face);
    unsigned long (*read)(nd_font_info *info, nd_handle font, unsigned table, unsigned char *buffer, unsigned long room);
    unsigned long (*name)(nd_font_info *info, nd_handle font, char *buffer, unsigned long room);
    int (*charset)(nd_font_info *info, nd_handle font);
    void (*discard)(nd_font_info *info, nd_handle font);
};

static nd_font_info *own;
static const nd_held_font *held;
static size_t held_count;
static int serving;

static int by_handle(const void *a, const void *b) {
    uintptr_t x = (uintptr_t)((const nd_held_font *)a)->font, y = (uintptr_t)((const nd_held_font *)b)->font;
    return (x > y) - (x < y);
}

static const nd_held_font *held_font(nd_handle font) {
    nd_held_font wanted = {.font = font};
    return font && held_count ? bsearch(&wanted, held, held_count, sizeof *held, by_handle) : NULL;
}

static nd_handle if_held(nd_handle font) { return !serving || held_font(font) ? font : NULL; }

static void enumerate(nd_font_info *info, void *mapper) {
    (void)info;
    own->enumerate(own, mapper);
}

static nd_handle choose(nd_font_info *info, int weight, int italic, int charset, int pitch, const char *face, int *exact) {
    (void)info;
    nd_handle font = if_held(own->choose(own, weight, italic, charset, pitch, face, exact));
    /* The bold or the serif cut may be left out where the plain one is held. */
    return font ? font : if_held(own->choose(own, NORMAL_WEIGHT, 0, charset, 0, face, exact));
}

static nd_handle find(nd_font_info *info, const char *face) {
    (void)info;
    return if_held(own->find(own, face));
}

/* The bytes needed, as PDFium's own reader gives them; and, unlike there, the beginning when the room is smaller: PDFium
 * sums the first kilobyte of a collection to know it again, and would sum what lay in its buffer before. */
static unsigned long read_held(nd_font_info *info, nd_handle font, unsigned table, unsigned char *buffer, unsigned long room) {
    (void)info;
    if (!serving)
        return own->read(own, font, table, buffer, room);
    const nd_held_font *known = held_font(font);
    if (!known || table != (known->in_collection ? WHOLE_COLLECTION : WHOLE_FILE))
        return 0;
    if (buffer && room)
        memcpy(buffer, known->data, room < known->size ? room : known->size);
    return (unsigned long)known->size;
}

/* Without a terminator: PDFium takes as many bytes as it is told, a terminator among them. */
static unsigned long name(nd_font_info *info, nd_handle font, char *buffer, unsigned long room) {
    (void)info;
    const nd_held_font *known = held_font(font);
    if (!known)
        return 0;
    if (buffer && room >= known->name_size)
        memcpy(buffer, known->name, known->name_size);
    return (unsigned long)known->name_size;
}

/* No charset: PDFium's own does not know it either, and then keeps the one that was asked for. */
static nd_font_info ours = {
    .version = 1, .enumerate = enumerate, .choose = choose, .find = find, .read = read_held, .name = name};

/* PDFium scans the folders when the first font is asked for: asks for one. */
static int scan(void) {
    nd_handle document = nd_pdfium.FPDF_CreateNewDocument();
    nd_handle font = document ? nd_pdfium.FPDFText_LoadStandardFont(document, "Helvetica") : NULL;
    if (font)
        nd_pdfium.FPDFFont_Close(font);
    if (document)
        nd_pdfium.FPDF_CloseDocument(document);
    return font != NULL;
}

/* Steps in front of PDFium's own font information and has the folders scanned; 0 when PDFium has none. Once only. */
int nd_watch_fonts(void) {
    own = nd_pdfium.FPDF_GetDefaultSystemFontInfo();
    if (!own)
        return 0;
    nd_pdfium.FPDF_SetSystemFontInfo(&ours);
    return scan();
}

/* What PDFium's own gives: a font by its exact name, one that stands in, the bytes needed for a table ("" for a file's
 * face of its own, "ttcf" for one of a collection), its name. NULL and 0: none. */
nd_handle nd_own_font(const char *face) { return own->find(own, face); }

nd_handle nd_own_choice(int weight, int italic, int charset, int pitch, const char *face) {
    int exact = 0;
    return own->choose(own, weight, italic, charset, pitch, face, &exact);
}

unsigned long nd_own_table(nd_handle font, unsigned table, unsigned char *buffer, unsigned long room) {
    return own->read(own, font, table, buffer, room);
}

/* From here on only these fonts are there; they are sorted in place and must live as long as the process. */
void nd_serve_fonts(nd_held_font *fonts, size_t count) {
    if (count)
        qsort(fonts, count, sizeof *fonts, by_handle);
    held = fonts;
    held_count = count;
    serving = 1;
}

/* The bytes of a file, read-only, and no descriptor left open; NULL when it is no file that can be mapped. A process that
 * forks shares them with its children. Whoever shortens the file in place ends a process that reads past the new end. */
const void *nd_map_file(const char *path, size_t *size) {
#ifdef _WIN32
    (void)path; (void)size; /* No workers there yet, so nothing asks. */
    return NULL;
#else
    struct stat status;
    void *data = MAP_FAILED;
    /* Not blocking: the file may be a pipe. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return NULL;
    if (!fstat(descriptor, &status) && S_ISREG(status.st_mode) && status.st_size > 0 && status.st_size <= UINT32_MAX)
        data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (data == MAP_FAILED)
        return NULL;
    *size = (size_t)status.st_size;
    return data;
#endif
}

void nd_unmap(const void *data, size_t size) {
#ifdef _WIN32
    (void)data; (void)size;
#else
    munmap((void *)data, size);
#endif
}
