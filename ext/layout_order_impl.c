/* Fragments -> leaves in reading order, by recursive cuts (Nagy, Seth 1984): at gutters between columns of running text,
 * else into white-separated bands, neighbouring bands that share a gutter taken together so that a heading over two
 * columns parts what is above it from what is below. Table-like gaps (short texts, all on common baselines) are no
 * gutters: such regions are read row by row. Text of another direction follows, a direction at a time. */
#include "layout_impl.h"

#define DEPTH_MAX 12
/* A region with more columns than this is no running text. */
#define COLUMNS_MAX 24
/* Lines at the top and at the foot of a page that may be set off. */
#define EDGE_LINES 2

/* In units of the region's mean size. */
static const double GUTTER = 0.5, GUTTER_MIN_POINTS = 3.0, EDGE_GAP = 0.75, SAME_BASE = 0.15, EDGE_RATIO = 1.3;
/* Running text: so many lines, characters in a line, and share of the column's width in the mean. */
static const int32_t PROSE_LINES = 3, PROSE_CHARS = 14, LONE_PROSE_LINES = 4;
static const double PROSE_FILL = 0.5, ALIGNED = 0.6;
/* A group of frames (a table) counts as this much text. */
static const int32_t GROUP_CHARS = 60;

typedef struct {
    double u0, u1, width;
    int32_t count, chars;
} column;

typedef struct {
    lay_page *page;
    double *key;        /* by fragment, for sorting */
    int32_t *spare;     /* by place */
    double *bases_a, *bases_b;
    int failed;
} order_state;

static double fmax2(double a, double b) { return a > b ? a : b; }

static void leaf(order_state *s, const int32_t *items, int32_t count)
{
    lay_page *p = s->page;
    if (count <= 0)
        return;
    p->leaf_start[p->leaf_count++] = p->ordered;
    memcpy(p->fragment_order + p->ordered, items, sizeof(int32_t) * (size_t)count);
    p->ordered += count;
}

static void sort_by(order_state *s, int32_t *items, int32_t count, int across)
{
    int32_t k;
    for (k = 0; k < count; k++) {
        const lay_fragment *f = &s->page->fragments[items[k]];
        s->key[items[k]] = across ? f->v0 : f->u0;
    }
    if (lay_sort(items, count, s->key))
        s->failed = 1;
}

static double region_em(const order_state *s, const int32_t *items, int32_t count)
{
    double sum = 0;
    int64_t chars = 0;
    int32_t k;
    for (k = 0; k < count; k++) {
        const lay_fragment *f = &s->page->fragments[items[k]];
        if (f->group < 0) {
            sum += f->size * f->chars;
            chars += f->chars;
        }
    }
    return chars ? sum / (double)chars : s->page->em;
}

static double gutter_width(double em) { return fmax2(GUTTER * em, GUTTER_MIN_POINTS); }

/* Columns of white-separated text of items sorted by u0; 0 when there are more than COLUMNS_MAX. */
static int32_t find_columns(const order_state *s, const int32_t *items, int32_t count, double gutter, column *columns)
{
    int32_t k, n = 0;
    for (k = 0; k < count; k++) {
        const lay_fragment *f = &s->page->fragments[items[k]];
        if (n && f->u0 - columns[n - 1].u1 < gutter) {
            columns[n - 1].u1 = fmax2(columns[n - 1].u1, f->u1);
        } else {
            if (n == COLUMNS_MAX)
                return 0;
            memset(&columns[n], 0, sizeof(column));
            columns[n].u0 = f->u0;
            columns[n++].u1 = f->u1;
        }
        columns[n - 1].width += f->u1 - f->u0;
        columns[n - 1].count += f->group >= 0 ? PROSE_LINES : 1;
        columns[n - 1].chars += f->group >= 0 ? GROUP_CHARS : f->chars;
        if (f->group >= 0)
            columns[n - 1].width += 2 * (f->u1 - f->u0);
    }
    return n;
}

static int is_prose(const column *c)
{
    return c->count >= PROSE_LINES && c->chars >= PROSE_CHARS * c->count && c->width >= PROSE_FILL * c->count * (c->u1 - c->u0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int32_t bases_within(const order_state *s, const int32_t *items, int32_t count, double u0, double u1, double *bases)
{
    int32_t k, n = 0;
    for (k = 0; k < count; k++) {
        const lay_fragment *f = &s->page->fragments[items[k]];
        if (f->u0 >= u0 && f->u1 <= u1)
            bases[n++] = f->base;
    }
    qsort(bases, (size_t)n, sizeof(double), by_value);
    return n;
}

/* Whether most of the lines of the column with fewer stand on baselines of the other, as the cells of a table do. */
static int aligned(order_state *s, const int32_t *items, int32_t count, const column *a, const column *b, double em)
{
    int32_t n = bases_within(s, items, count, a->u0, a->u1, s->bases_a), m = bases_within(s, items, count, b->u0, b->u1, s->bases_b);
    const double *few = n < m ? s->bases_a : s->bases_b, *many = n < m ? s->bases_b : s->bases_a;
    int32_t few_count = n < m ? n : m, many_count = n < m ? m : n, i, j = 0, hits = 0;
    for (i = 0; i < few_count; i++) {
        while (j < many_count && many[j] < few[i] - SAME_BASE * em)
            j++;
        hits += j < many_count && many[j] <= few[i] + SAME_BASE * em;
    }
    return hits >= ALIGNED * few_count;
}

static void merge_column(column *into, const column *from)
{
    into->u1 = from->u1;
    into->width += from->width;
    into->count += from->count;
    into->chars += from->chars;
}

/* The gutters of a region (sorted by u0) that part running text: the left edges of the columns behind them. */
static int32_t find_gutters(order_state *s, const int32_t *items, int32_t count, double em, double *edges)
{
    column columns[COLUMNS_MAX];
    int32_t n = find_columns(s, items, count, gutter_width(em), columns), k, left = 0, found = 0;
    for (k = 1; k < n; k++) {
        const column *a = &columns[left], *b = &columns[k];
        int prose_a = is_prose(a), prose_b = is_prose(b);
        if ((prose_a && prose_b) || ((prose_a ? a->count : prose_b ? b->count : 0) >= LONE_PROSE_LINES && !aligned(s, items, count, a, b, em))) {
            edges[found++] = b->u0;
            left = k;
        } else
            merge_column(&columns[left], b);
    }
    return found;
}

static void find_order(order_state *s, int32_t *items, int32_t count, int depth);

static void order_columns(order_state *s, int32_t *items, int32_t count, const double *edges, int32_t edge_count, int depth)
{
    int32_t k, from = 0, edge = 0;
    for (k = 0; k <= count; k++)
        if (k == count || (edge < edge_count && s->page->fragments[items[k]].u0 >= edges[edge])) {
            find_order(s, items + from, k - from, depth + 1);
            from = k;
            edge++;
        }
}

/* White-separated intervals along u of a group of bands; more than COLUMNS_MAX count as none. */
typedef struct {
    double u0[COLUMNS_MAX + 1], u1[COLUMNS_MAX + 1];
    int32_t count;
} profile;

static void add_interval(profile *f, double u0, double u1, double gutter)
{
    int32_t i = 0, j, k;
    while (i < f->count && f->u1[i] + gutter <= u0)
        i++;
    for (j = i; j < f->count && f->u0[j] < u1 + gutter; j++) {
        if (f->u0[j] < u0) u0 = f->u0[j];
        if (f->u1[j] > u1) u1 = f->u1[j];
    }
    if (j == i) {
        if (f->count > COLUMNS_MAX)
            return;
        for (k = f->count++; k > i; k--) { f->u0[k] = f->u0[k - 1]; f->u1[k] = f->u1[k - 1]; }
    } else {
        for (k = j; k < f->count; k++) { f->u0[i + 1 + k - j] = f->u0[k]; f->u1[i + 1 + k - j] = f->u1[k]; }
        f->count -= j - i - 1;
    }
    f->u0[i] = u0;
    f->u1[i] = u1;
}

static int32_t band_end(const order_state *s, const int32_t *items, int32_t from, int32_t count, double *bottom)
{
    int32_t k = from + 1;
    *bottom = s->page->fragments[items[from]].v1;
    for (; k < count && s->page->fragments[items[k]].v0 < *bottom; k++)
        *bottom = fmax2(*bottom, s->page->fragments[items[k]].v1);
    return k;
}

static void order_group(order_state *s, int32_t *items, int32_t from, int32_t to, int multi, int32_t *pending, int depth)
{
    double edges[COLUMNS_MAX];
    int32_t found = 0;
    if (multi) {
        double em = region_em(s, items + from, to - from);
        memcpy(s->spare + from, items + from, sizeof(int32_t) * (size_t)(to - from));
        sort_by(s, items + from, to - from, 0);
        found = find_gutters(s, items + from, to - from, em, edges);
        if (!found)
            memcpy(items + from, s->spare + from, sizeof(int32_t) * (size_t)(to - from));
    }
    if (found) {
        leaf(s, items + *pending, from - *pending);
        order_columns(s, items + from, to - from, edges, found, depth);
        *pending = to;
    }
}

/* `items` are sorted by v0. Groups without gutters gather into one leaf until a group with columns comes. */
static void order_bands(order_state *s, int32_t *items, int32_t count, int depth, double em)
{
    double gutter = gutter_width(em), bottom;
    int32_t from = 0, at = 0, end, k, pending = 0;
    profile group = {.count = 0};
    for (; at < count; at = end) {
        profile own = {.count = 0}, both = group;
        end = band_end(s, items, at, count, &bottom);
        for (k = at; k < end; k++) {
            const lay_fragment *f = &s->page->fragments[items[k]];
            add_interval(&own, f->u0, f->u1, gutter);
            add_interval(&both, f->u0, f->u1, gutter);
        }
        if (at > 0 && both.count < 2 && (group.count > 1 || own.count > 1)) {
            order_group(s, items, from, at, group.count > 1, &pending, depth);
            from = at;
            group = own;
        } else
            group = both;
    }
    if (from == 0 && pending == 0)      /* one group: its gutters were looked at already */
        leaf(s, items, count);
    else {
        order_group(s, items, from, count, group.count > 1, &pending, depth);
        leaf(s, items + pending, count - pending);
    }
}

static void find_order(order_state *s, int32_t *items, int32_t count, int depth)
{
    double edges[COLUMNS_MAX], em;
    int32_t found;
    if (count <= 0 || s->failed)
        return;
    if (count == 1 || depth >= DEPTH_MAX) {
        sort_by(s, items, count, 1);
        leaf(s, items, count);
        return;
    }
    em = region_em(s, items, count);
    sort_by(s, items, count, 0);
    found = find_gutters(s, items, count, em, edges);
    if (found) {
        order_columns(s, items, count, edges, found, depth);
        return;
    }
    sort_by(s, items, count, 1);
    order_bands(s, items, count, depth, em);
}

/* White that sets a line off: wide in itself, and wider than what follows (`next`), as it is not in double spacing. */
static int sets_off(double gap, double next, double em) { return gap > EDGE_GAP * em && gap > EDGE_RATIO * next; }

/* Lines at the page's top and foot that white sets off are no part of its columns: running headers, page numbers. */
static void order_page(order_state *s, int32_t *items, int32_t count)
{
    const lay_fragment *f = s->page->fragments;
    double em, bottom, last_bottom = 0, gap, last_gap = 0, foot_gap = 0;
    int32_t top = 0, at, end, after, edge, foot = count, lines = 0;
    if (count <= 0)
        return;
    em = region_em(s, items, count);
    sort_by(s, items, count, 1);
    for (edge = 0; edge < EDGE_LINES; edge++) {
        end = band_end(s, items, top, count, &bottom);
        if (end == count || f[items[end - 1]].v0 >= f[items[top]].v1)
            break;
        gap = f[items[end]].v0 - bottom;
        after = band_end(s, items, end, count, &bottom);
        if (!sets_off(gap, after < count ? f[items[after]].v0 - bottom : 0, em))
            break;
        leaf(s, items + top, end - top);
        top = end;
    }
    for (at = top; at < count; at = end) {
        int alone;
        end = band_end(s, items, at, count, &bottom);
        gap = at == top ? 0 : f[items[at]].v0 - last_bottom;
        alone = at != top && f[items[end - 1]].v0 < f[items[at]].v1;
        if (alone && sets_off(gap, last_gap, em)) {
            foot = at;
            foot_gap = gap;
            lines = 1;
        } else if (!alone || gap * EDGE_RATIO >= foot_gap || ++lines > EDGE_LINES) {
            foot = count;
            foot_gap = 0;
        }
        last_bottom = bottom;
        last_gap = gap;
    }
    /* find_order moves only what it is given: the foot stays in order. */
    find_order(s, items + top, foot - top, 0);
    leaf(s, items + foot, count - foot);
}

/* A fragment without words for each group of frames, as large as they are together. */
static void add_groups(lay_page *p)
{
    int32_t k, group = -1;
    lay_fragment *f = NULL;
    for (k = 0; k < p->frame_count; k++) {
        const float *b = p->frame_box + 4 * k;
        double u0 = b[0], u1 = b[2], v0 = b[1], v1 = b[3];
        switch (p->main_direction) {
        case 1: u0 = b[1]; u1 = b[3]; v0 = -(double)b[2]; v1 = -(double)b[0]; break;
        case 2: u0 = -(double)b[2]; u1 = -(double)b[0]; v0 = -(double)b[3]; v1 = -(double)b[1]; break;
        case 3: u0 = -(double)b[3]; u1 = -(double)b[1]; v0 = b[0]; v1 = b[2]; break;
        }
        if (p->frame_group[k] != group) {
            f = &p->fragments[p->fragment_count++];
            memset(f, 0, sizeof *f);
            group = f->group = p->frame_group[k];
            f->first = f->last = f->frame = -1;
            f->direction = p->main_direction;
            f->u0 = u0; f->u1 = u1; f->v0 = v0; f->v1 = v1;
        }
        if (u0 < f->u0) f->u0 = u0;
        if (u1 > f->u1) f->u1 = u1;
        if (v0 < f->v0) f->v0 = v0;
        if (v1 > f->v1) f->v1 = v1;
        f->base = f->v1;
        f->size = p->em;
    }
}

int lay_find_order(lay_page *p)
{
    order_state s = {.page = p};
    int32_t k, n, turn, *items;
    add_groups(p);
    n = p->fragment_count;
    p->fragment_order = malloc(sizeof(int32_t) * ((size_t)n + 1));
    p->leaf_start = malloc(sizeof(int32_t) * ((size_t)n + 2));
    items = malloc(sizeof(int32_t) * ((size_t)n + 1));
    s.key = malloc(sizeof(double) * ((size_t)n + 1));
    s.spare = malloc(sizeof(int32_t) * ((size_t)n + 1));
    s.bases_a = malloc(sizeof(double) * ((size_t)n + 1));
    s.bases_b = malloc(sizeof(double) * ((size_t)n + 1));
    s.failed = !p->fragment_order || !p->leaf_start || !items || !s.key || !s.spare || !s.bases_a || !s.bases_b;
    for (turn = 0; turn < 5 && !s.failed; turn++) {
        int32_t direction = turn == 0 ? p->main_direction : turn <= p->main_direction ? turn - 1 : turn, count = 0;
        for (k = 0; k < n; k++)
            if (p->fragments[k].direction == direction && p->fragments[k].frame < 0)
                items[count++] = k;
        order_page(&s, items, count);
    }
    if (!s.failed)
        p->leaf_start[p->leaf_count] = p->ordered;
    free(items);
    free(s.key);
    free(s.spare);
    free(s.bases_a);
    free(s.bases_b);
    return s.failed ? -1 : 0;
}
