/* Words -> fragments: first by the order of the content, which is right for nearly all text, then neighbours on one
 * baseline that were drawn at different times (links, bold words, writers that sort by font). */
#include "layout_impl.h"

/* In units of the larger size. A fragment must not reach over a column gutter (seldom under 1 em), so drawn apart needs
 * a smaller gap than drawn one after the other; rows join fragments again where there is no gutter. */
static const double DRAWN_TOGETHER = 1.0, DRAWN_APART = 0.7, OVERLAP = 0.6;
/* Baselines: words of like size, and raised or lowered smaller ones. */
static const double LEVEL = 0.25, RAISED = 0.55, LIKE_SIZE = 0.85;
static const double ASCENT = 0.75, DESCENT = 0.22;

static int same_stream(const lay_word *a, const lay_word *b)
{
    return a->direction == b->direction && a->frame == b->frame && !((a->flags ^ b->flags) & CH_SOURCE);
}

static double larger(double a, double b) { return a > b ? a : b; }
static double smaller(double a, double b) { return a < b ? a : b; }

static int level(double base_a, double size_a, double base_b, double size_b)
{
    double scale = larger(size_a, size_b), off = base_a > base_b ? base_a - base_b : base_b - base_a;
    return off <= (smaller(size_a, size_b) > LIKE_SIZE * scale ? LEVEL : RAISED) * scale;
}

static int continues(const lay_fragment *f, const lay_word *a, const lay_word *b)
{
    double scale = larger(a->size, b->size), gap = b->u0 - a->u1;
    if (!same_stream(a, b))
        return 0;
    if (a->flags & CH_SOURCE)
        return gap <= DRAWN_TOGETHER * scale && gap >= -OVERLAP * scale && a->base == b->base;
    if (a->direction == 4)
        return larger(larger(b->x0 - a->x1, a->x0 - b->x1), larger(b->y0 - a->y1, a->y0 - b->y1)) < scale;
    if ((a->flags & WORD_RTL) && (b->flags & WORD_RTL))
        gap = a->u0 - b->u1;
    if (gap > DRAWN_TOGETHER * scale || gap < -OVERLAP * scale)
        return 0;
    return level(a->base, a->size, b->base, b->size) && level(f->base, f->size, b->base, b->size);
}

static void add_word(lay_page *p, lay_fragment *f, int32_t k)
{
    lay_word *w = &p->words[k];
    if (f->words)
        p->words[f->last].next = k;
    else {
        f->first = k;
        f->u0 = w->u0;
        f->u1 = w->u1;
        f->frame = w->frame;
        f->direction = w->direction;
        f->flags = w->flags & CH_SOURCE;
    }
    f->last = k;
    f->words++;
    f->chars += w->chars;
    f->u0 = smaller(f->u0, w->u0);
    f->u1 = larger(f->u1, w->u1);
    if (w->flags & WORD_RTL)
        f->flags |= WORD_RTL;
    if (w->chars > f->main_chars) {
        f->main_chars = w->chars;
        f->base = w->base;
        f->size = w->size;
    }
}

/* Layout goes by baseline and size: what fonts claim as ascent and descent differs too much between fonts. */
static void close_fragment(lay_fragment *f)
{
    f->v0 = f->base - ASCENT * f->size;
    f->v1 = f->base + DESCENT * f->size;
}

static int same_text(const lay_page *p, const lay_fragment *a, const lay_fragment *b)
{
    int32_t i, j;
    const lay_word *v = &p->words[a->first], *w = &p->words[b->first];
    if (a->words != b->words || a->chars != b->chars)
        return 0;
    for (i = 0; i < a->words; i++) {
        if (v->count != w->count)
            return 0;
        for (j = 0; j < v->count; j++)
            if (p->codepoint[v->first + j] != p->codepoint[w->first + j])
                return 0;
        if (v->next >= 0) v = &p->words[v->next];
        if (w->next >= 0) w = &p->words[w->next];
    }
    return 1;
}

/* Both cover the same place: the second is the first drawn again (fake bold, a shadow). */
static int drawn_again(const lay_page *p, const lay_fragment *a, const lay_fragment *b)
{
    double near = 0.2 * a->size;
    return b->u0 - a->u0 < near && a->u0 - b->u0 < near && b->u1 - a->u1 < near && a->u1 - b->u1 < near && same_text(p, a, b);
}

static void append(lay_page *p, lay_fragment *f, lay_fragment *g)
{
    lay_word *head = &p->words[g->first];
    if (head->u0 - f->u1 > 0.15 * larger(f->size, g->size))
        head->flags |= WORD_SPACE;
    p->words[f->last].next = g->first;
    f->last = g->last;
    f->words += g->words;
    f->chars += g->chars;
    f->u0 = smaller(f->u0, g->u0);
    f->u1 = larger(f->u1, g->u1);
    f->flags |= g->flags;
    if (g->main_chars > f->main_chars) {
        f->main_chars = g->main_chars;
        f->base = g->base;
        f->size = g->size;
    }
    g->words = 0;
    close_fragment(f);
}

/* `group`: fragments of one baseline from left to right. */
static void join_row(lay_page *p, const int32_t *group, int32_t count)
{
    int32_t k;
    lay_fragment *f = &p->fragments[group[0]];
    for (k = 1; k < count; k++) {
        lay_fragment *g = &p->fragments[group[k]];
        double scale = larger(f->size, g->size), gap = g->u0 - f->u1;
        int plain = !((f->flags | g->flags) & (CH_SOURCE | WORD_RTL));
        if (plain && drawn_again(p, f, g))
            g->words = 0;
        else if (plain && gap <= DRAWN_APART * scale && gap >= -OVERLAP * scale)
            append(p, f, g);
        else
            f = g;
    }
}

static int same_row(const lay_fragment *a, const lay_fragment *b)
{
    return a->direction == b->direction && a->frame == b->frame && level(a->base, a->size, b->base, b->size);
}

static int join_neighbours(lay_page *p)
{
    int32_t n = p->fragment_count, k, from, *index = malloc(sizeof(int32_t) * ((size_t)n + 1));
    double *key = malloc(sizeof(double) * ((size_t)n + 1));
    int failed = !index || !key;
    for (k = 0; k < n && !failed; k++) {
        index[k] = k;
        key[k] = p->fragments[k].base;
    }
    failed = failed || lay_sort(index, n, key);
    for (k = 0; k < n && !failed; k++)
        key[k] = p->fragments[k].u0;
    for (from = 0; from < n && !failed; from = k) {
        for (k = from + 1; k < n && same_row(&p->fragments[index[from]], &p->fragments[index[k]]); k++)
            ;
        if (k - from > 1) {
            failed = lay_sort(index + from, k - from, key);
            if (!failed)
                join_row(p, index + from, k - from);
        }
    }
    free(index);
    free(key);
    return failed ? -1 : 0;
}

int lay_find_fragments(lay_page *p)
{
    int32_t k, kept = 0;
    lay_fragment *f = NULL;
    /* One more for each group of frames, which the reading order treats as a fragment. */
    p->fragments = calloc((size_t)p->word_count + (size_t)p->frame_count + 1, sizeof(lay_fragment));
    if (!p->fragments)
        return -1;
    for (k = 0; k < p->word_count; k++) {
        if (!f || !continues(f, &p->words[k - 1], &p->words[k])) {
            if (f)
                close_fragment(f);
            f = &p->fragments[p->fragment_count++];
            f->group = -1;
        }
        add_word(p, f, k);
    }
    if (f)
        close_fragment(f);
    if (join_neighbours(p))
        return -1;
    for (k = 0; k < p->fragment_count; k++)
        if (p->fragments[k].words)
            p->fragments[kept++] = p->fragments[k];
    p->fragment_count = kept;
    return 0;
}
