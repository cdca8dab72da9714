/* Characters -> words. A word ends at white space, at a gap, at a jump, and where direction, source, frame, size or
 * baseline changes; `WORD_SPACE` says whether a space stood before it, which a raised footnote mark has not. */
#include <math.h>

#include "layout_impl.h"

/* In units of the character size. PDFium puts a space into most gaps; these are for those it leaves. */
static const double GAP_BREAK = 0.28, GAP_SPACE = 0.15, JUMP_BREAK = 0.5, BASE_BREAK = 0.1, DOUBLED = 0.1;
static const double SIZE_BREAK = 0.87;
/* A font's ascent plus descent beyond this many sizes is no measure of its text (mathematics fonts claim 5 and more). */
static const double TALL_BOX = 2.5;
static const double ASCENT = 0.75, DESCENT = 0.22;
static const double FAR = 1e6;

typedef struct {
    double x0, y0, x1, y1, u0, u1, base, size;
} glyph;

static double sane(double v)
{
    if (v != v)
        return 0.0;
    return v < -FAR ? -FAR : v > FAR ? FAR : v;
}

static void read_glyph(const lay_page *p, int32_t i, glyph *g)
{
    double ox = p->origin[2 * i], oy = p->origin[2 * i + 1], t;
    g->x0 = p->loose[4 * i];
    g->y0 = p->loose[4 * i + 1];
    g->x1 = p->loose[4 * i + 2];
    g->y1 = p->loose[4 * i + 3];
    /* One comparison for all that is sound, which is nearly everything; what is not a number fails it as well. */
    if (!(fabs(g->x0) + fabs(g->y0) + fabs(g->x1) + fabs(g->y1) + fabs(ox) + fabs(oy) < FAR)) {
        ox = sane(ox);
        oy = sane(oy);
        g->x0 = sane(g->x0);
        g->y0 = sane(g->y0);
        g->x1 = sane(g->x1);
        g->y1 = sane(g->y1);
    }
    if (g->x1 < g->x0) { t = g->x0; g->x0 = g->x1; g->x1 = t; }
    if (g->y1 < g->y0) { t = g->y0; g->y0 = g->y1; g->y1 = t; }
    g->size = sane(p->size[i]);
    if (!(g->size > 0))
        g->size = g->y1 - g->y0 > 0 ? 0.8 * (g->y1 - g->y0) : 1.0;
    switch (p->direction[i]) {
    case 1: g->u0 = g->y0; g->u1 = g->y1; g->base = -ox; return;
    case 2: g->u0 = -g->x1; g->u1 = -g->x0; g->base = -oy; return;
    case 3: g->u0 = -g->y1; g->u1 = -g->y0; g->base = ox; return;
    }
    g->u0 = g->x0;
    g->u1 = g->x1;
    g->base = oy;
    if (!(g->y1 > g->y0) || g->y1 - g->y0 > TALL_BOX * g->size) {
        g->y0 = oy - ASCENT * g->size;
        g->y1 = oy + DESCENT * g->size;
    }
}

/* The frame that holds the middle of a glyph, tried first where the last one was found; -1 outside of all. */
static int32_t find_frame(const lay_page *p, const glyph *g, int32_t last)
{
    double x = 0.5 * (g->x0 + g->x1), y = 0.5 * (g->y0 + g->y1);
    int32_t k, frame;
    for (k = 0; k < p->frame_count; k++) {
        frame = last + k;
        if (frame >= p->frame_count)
            frame -= p->frame_count;
        const float *b = p->frame_box + 4 * frame;
        if (x >= b[0] && x < b[2] && y >= b[1] && y < b[3])
            return frame;
    }
    return -1;
}

static int leaves_frame(const lay_page *p, const lay_word *w, const glyph *g)
{
    double x = 0.5 * (g->x0 + g->x1), y = 0.5 * (g->y0 + g->y1);
    const float *b = p->frame_box + 4 * w->frame;
    return !(x >= b[0] && x < b[2] && y >= b[1] && y < b[3]);
}

/* The engine gives each letter of a ligature the ligature's own place. */
static int same_spot(const lay_page *p, int32_t i)
{
    const float *o = p->origin + 2 * i;
    return i > 0 && o[0] == o[-2] && o[1] == o[-1];
}

/* 0: the glyph goes on with the word; 1: it begins another; 2: another, after a space. */
static int word_break(const lay_page *p, const lay_word *w, const glyph *g, int32_t i)
{
    double scale = g->size > w->size ? g->size : w->size, small = g->size > w->size ? w->size : g->size, gap;
    if (p->direction[i] != w->direction || ((p->flags[i] ^ w->flags) & CH_SOURCE) || (w->frame >= 0 && leaves_frame(p, w, g)))
        return 1;
    gap = g->u0 - w->u1;
    if ((w->flags & WORD_RTL) && lay_is_rtl(p->codepoint[i]))
        gap = w->u0 - g->u1;
    if (w->direction == 4 || (w->first + w->count == i && same_spot(p, i)))
        return 0;
    if (gap > GAP_BREAK * scale)
        return 2;
    if (gap < -JUMP_BREAK * scale || g->base - w->base > BASE_BREAK * scale || w->base - g->base > BASE_BREAK * scale ||
        small < SIZE_BREAK * scale)
        return gap > GAP_SPACE * scale ? 2 : 1;
    return 0;
}

typedef struct {
    int32_t bold, italic, mono, math, rtl, invisible;
} tally;

static void close_word(lay_word *w, const tally *t)
{
    int32_t half = w->chars / 2;
    /* A formula's letters are italic because they are a formula's: that is no emphasis. */
    if (t->math > half) w->flags |= WORD_MATH;
    else if (t->italic > half) w->flags |= CH_ITALIC;
    if (t->bold > half && !(w->flags & WORD_MATH)) w->flags |= CH_BOLD;
    if (t->mono > half) w->flags |= CH_MONO;
    if (t->rtl > half) w->flags |= WORD_RTL; else w->flags &= ~WORD_RTL;
    if (t->invisible > half) w->flags |= CH_INVISIBLE;
}

static void add_glyph(const lay_page *p, lay_word *w, tally *t, const glyph *g, int32_t i)
{
    int flags = p->flags[i];
    if (g->x0 < w->x0) w->x0 = g->x0;
    if (g->y0 < w->y0) w->y0 = g->y0;
    if (g->x1 > w->x1) w->x1 = g->x1;
    if (g->y1 > w->y1) w->y1 = g->y1;
    if (g->u0 < w->u0) w->u0 = g->u0;
    if (g->u1 > w->u1) w->u1 = g->u1;
    w->count = i + 1 - w->first;
    w->chars++;
    t->bold += (flags & CH_BOLD) != 0;
    t->italic += (flags & CH_ITALIC) != 0;
    t->mono += (flags & CH_MONO) != 0;
    t->invisible += (flags & CH_INVISIBLE) != 0;
    t->math += p->font[i] < p->math_count && p->math_font[p->font[i]];
    if (p->codepoint[i] >= 0x590 && lay_is_rtl(p->codepoint[i])) { t->rtl++; w->flags |= WORD_RTL; }
}

static lay_word *open_word(lay_page *p, const glyph *g, int32_t i, int space, int32_t frame)
{
    lay_word *w;
    if (p->word_count == p->word_room) {
        int32_t room = p->word_room * 2;
        w = realloc(p->words, sizeof(lay_word) * (size_t)room);
        if (!w)
            return NULL;
        p->words = w;
        p->word_room = room;
    }
    w = &p->words[p->word_count++];
    memset(w, 0, sizeof *w);
    w->first = i;
    w->x0 = g->x0; w->y0 = g->y0; w->x1 = g->x1; w->y1 = g->y1;
    w->u0 = g->u0; w->u1 = g->u1; w->base = g->base; w->size = g->size;
    w->font = p->font[i];
    w->flags = (p->flags[i] & CH_SOURCE) | (space ? WORD_SPACE : 0);
    w->direction = p->direction[i] > 4 ? 4 : p->direction[i];
    w->frame = frame;
    w->mcid = p->mcid[i];
    w->link = w->next = -1;
    return w;
}

/* The size of most characters, to half a point: the em that gutters and gaps are measured in. */
static double main_size(const lay_page *p)
{
    int32_t mass[256] = {0}, k, best = 0;
    for (k = 0; k < p->word_count; k++) {
        double step = p->words[k].size * 2.0 + 0.5;
        mass[step < 0 ? 0 : step > 255 ? 255 : (int32_t)step] += p->words[k].chars;
    }
    for (k = 1; k < 256; k++)
        if (mass[k] > mass[best])
            best = k;
    return best ? best * 0.5 : 1.0;
}

static void place_links(lay_page *p);

int lay_find_words(lay_page *p)
{
    int32_t i, frame = 0, turns[5] = {0};
    int space = 1, brk;
    lay_word *w = NULL;
    tally t = {0};
    glyph g;
    /* A word has five characters in the mean; a page of a few thousand characters then never grows. */
    p->word_room = p->count / 4 + 16;
    p->words = malloc(sizeof(lay_word) * (size_t)p->word_room);
    if (!p->words)
        return -1;
    for (i = 0; i < p->count; i++) {
        uint32_t code = lay_mapped(p->codepoint[i], p->flags[i]);
        if (lay_is_dropped(p->codepoint[i]))
            continue;
        if (lay_is_space(code)) {
            if (w) { close_word(w, &t); w = NULL; }
            space = 1;
            continue;
        }
        read_glyph(p, i, &g);
        p->garbage += code == 0xFFFD;
        if (p->flags[i] & CH_INVISIBLE) p->invisible++; else p->visible++;
        if (w && i && !(w->flags & CH_SOURCE) && p->codepoint[i] == p->codepoint[i - 1] && p->words[p->word_count - 1].count > 0) {
            double du = sane(p->origin[2 * i]) - sane(p->origin[2 * i - 2]), dv = sane(p->origin[2 * i + 1]) - sane(p->origin[2 * i - 1]);
            double near = DOUBLED * g.size;
            /* Fake bold, drawn twice; what stands on the very spot is the next letter of a ligature. */
            if (du < near && du > -near && dv < near && dv > -near && (du != 0 || dv != 0)) {
                close_word(w, &t);
                w = NULL;
                space = 0;
                continue;
            }
        }
        brk = w ? word_break(p, w, &g, i) : space ? 2 : 1;
        if (brk) {
            if (w)
                close_word(w, &t);
            memset(&t, 0, sizeof t);
            if (p->frame_count) {
                int32_t found = find_frame(p, &g, frame);
                w = open_word(p, &g, i, brk == 2, found);
                if (found >= 0)
                    frame = found;
            } else
                w = open_word(p, &g, i, brk == 2, -1);
            if (!w)
                return -1;
        }
        add_glyph(p, w, &t, &g, i);
        turns[w->direction]++;
        space = 0;
    }
    if (w)
        close_word(w, &t);
    for (i = 1; i < 5; i++)
        if (turns[i] > turns[p->main_direction])
            p->main_direction = i;
    p->em = main_size(p);
    place_links(p);
    return 0;
}

/* Links and words that may be compared on one page; a page beyond it keeps the links found by then. */
static const int64_t LINK_WORK = 4000000;

static void place_links(lay_page *p)
{
    int64_t work = 0;
    int32_t l, k;
    for (l = 0; l < p->link_count && work < LINK_WORK; l++, work += p->word_count)
        for (k = 0; k < p->word_count; k++) {
            lay_word *w = &p->words[k];
            const float *b = p->link_box + 4 * l;
            double x = 0.5 * (w->x0 + w->x1), y = 0.5 * (w->y0 + w->y1);
            if (x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3])
                w->link = l;
        }
}
