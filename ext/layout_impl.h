/* The layout kernel: characters of a page -> words -> fragments -> rows in reading order -> blocks -> text.
 *
 * Each stage is a file of its own and reads what the one before it left in `lay_page`:
 *   layout_words_impl.c      characters -> words
 *   layout_fragments_impl.c  words -> fragments: words of one baseline with ordinary gaps, never over a column gutter
 *   layout_order_impl.c      fragments -> leaves: regions in reading order (recursive cuts at gutters and white bands)
 *   layout_blocks_impl.c     leaves -> rows -> blocks
 *   layout_text_impl.c       blocks -> text, runs of style, offsets
 * Beside them layout_rules_impl.c reads a page's rules alone.
 *
 * Geometry is done in double from the engine's single-precision values, each sum in the order of the Python twin, so
 * that both give the same values; the build switches off contraction to fused multiply-add, which would not.
 * Every stage is O(n log n) in the characters; loops that could be quadratic have a cap, named where it stands.
 */
#ifndef NDFD_LAYOUT_IMPL_H
#define NDFD_LAYOUT_IMPL_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Bits of the engine's character flags. */
enum {
    CH_BOLD = 1, CH_ITALIC = 2, CH_MONO = 4, CH_GENERATED = 8, CH_HYPHEN = 16, CH_GARBAGE = 64, CH_INVISIBLE = 128,
    CH_FIELD = 256, CH_ANNOTATION = 512
};
enum { CH_STYLE = CH_BOLD | CH_ITALIC | CH_MONO, CH_SOURCE = CH_FIELD | CH_ANNOTATION };

/* Bits of `lay_word.flags` beside CH_STYLE, CH_INVISIBLE and CH_SOURCE. */
enum { WORD_SPACE = 8, WORD_RTL = 16, WORD_MATH = 32 };

/* Bits of `lay_block.flags` beside CH_STYLE, CH_INVISIBLE, CH_SOURCE and WORD_RTL. */
enum { BLOCK_TABULAR = 8, BLOCK_NORMALISE = 32, BLOCK_CENTRED = 64, BLOCK_FIRST_IN_LEAF = 1024 };

enum { MARKER_NONE = 0, MARKER_BULLET = 1, MARKER_NUMBER = 2 };

typedef struct {
    int32_t first, count;       /* characters; white space and doubled ones in between do not count as text */
    double x0, y0, x1, y1;      /* as displayed */
    double u0, u1, base;        /* along and across the reading direction; v grows towards the next line */
    double size;
    int32_t chars;              /* that carry text */
    int32_t font, flags, frame, link, next, mcid;
    int32_t direction;
} lay_word;

typedef struct {
    int32_t first, last;        /* words, chained by `next`; -1: stands for a group of frames */
    int32_t words, chars;
    double u0, u1, v0, v1, base, size;
    int32_t main_chars;         /* of the word that gave base and size */
    int32_t flags, frame, group, direction;
    int32_t text_start, text_end;
} lay_fragment;

typedef struct {
    int32_t first, count;       /* places in `fragment_order` */
    double u0, u1, base, size, first_word;
    int32_t chars, bold, mono, flags, marker, marker_chars, block, leaf, frame;
    int32_t text_start, text_end;
} lay_row;

typedef struct {
    int32_t first_row, rows;
    double x0, y0, x1, y1, size, left, right;   /* left, right: of the run of rows it stands in, along the text */
    int32_t chars, bold, italic, mono, math, font, flags, marker, marker_chars, frame, group, direction, mcid;
    int32_t text_start, text_end;
} lay_block;

typedef struct {
    int32_t start, end, style, link, block;
} lay_run;

typedef struct {
    /* Input, borrowed. */
    int32_t count;
    const uint32_t *codepoint;
    const float *loose, *origin, *size;
    const uint16_t *font, *flags;
    const uint8_t *direction;
    const int32_t *mcid;
    int32_t frame_count;
    const float *frame_box;     /* 4 each */
    const int32_t *frame_group; /* ascending from 0; the frames of one group are one thing in the reading order */
    int32_t link_count;
    const float *link_box;
    int32_t math_count;
    const uint8_t *math_font;   /* 1 for each font of mathematics */
    /* Output, owned. */
    lay_word *words;            int32_t word_count, word_room;
    lay_fragment *fragments;    int32_t fragment_count;
    int32_t *fragment_order;    int32_t ordered;
    lay_row *rows;              int32_t row_count;
    lay_block *blocks;          int32_t block_count;
    lay_run *runs;              int32_t run_count, run_room;
    uint32_t *text;             int32_t text_count, text_room;
    int32_t *leaf_start;        int32_t leaf_count;  /* places in `fragment_order` where leaves begin */
    int32_t garbage, visible, invisible;    /* characters */
    int32_t main_direction;
    double em;                  /* size of most characters */
} lay_page;

/* All return 0, or -1 when memory runs out. */
int lay_find_words(lay_page *page);
int lay_find_fragments(lay_page *page);
int lay_find_order(lay_page *page);
int lay_find_blocks(lay_page *page);
int lay_write_text(lay_page *page);
void lay_free(lay_page *page);

/* Points within which two level or two upright lines are one (double lines), and within which pieces touch and lines
 * cross; the least height and width of a grid's rows and columns, and of a line. */
#define LAY_SAME_LINE 3.0
#define LAY_TOUCH 3.0
#define LAY_ROW_MIN 5.0
#define LAY_COLUMN_MIN 6.0
/* A page with more line pieces than this is a drawing, not tables; it also bounds the work, as do the crossings. */
#define LAY_PIECES_MAX 5000
#define LAY_CROSSINGS_MAX 400000

typedef struct lay_line {
    double position, start, end;
    struct lay_line *parent;    /* towards the one that stands for all that cross */
    int32_t group;
} lay_line;

typedef struct {
    /* Input, borrowed. */
    double width, height;
    int32_t rule_count;
    const float *box;           /* 4 each */
    const uint8_t *kind;
    /* Output, owned. */
    lay_line *levels, *uprights;
    int32_t level_count, upright_count, group_count;
} lay_rules;

/* Returns 0, or -1 when memory runs out. */
int lay_connect_rules(lay_rules *rules);
void lay_free_rules(lay_rules *rules);

/* Facts about characters (layout_characters_impl.c). Most characters are ASCII: those are settled in line. */
int lay_is_other_space(uint32_t code);
int lay_is_other_dropped(uint32_t code);
uint32_t lay_other_mapped(uint32_t code, int flags);
int lay_is_rtl(uint32_t code);
int lay_is_wide(uint32_t code);
int lay_is_letter(uint32_t code);
int lay_is_lower(uint32_t code);
int lay_needs_normalising(uint32_t code);
int lay_is_bullet(uint32_t code);
int lay_is_hyphen(uint32_t code);

static inline int lay_is_ascii(uint32_t c) { return c > 0x20 && c < 0x7F; }
static inline int lay_is_space(uint32_t c) { return !lay_is_ascii(c) && lay_is_other_space(c); }
static inline int lay_is_dropped(uint32_t c) { return !lay_is_ascii(c) && lay_is_other_dropped(c); }
static inline uint32_t lay_mapped(uint32_t c, int flags)
{
    return lay_is_ascii(c) && !(flags & CH_GARBAGE) ? c : lay_other_mapped(c, flags);
}

/* A stable order of `index` by `key[index]`, ties by index: the same in both implementations. */
int lay_sort(int32_t *index, int32_t count, const double *key);

#endif
