/* Leaves -> rows -> blocks: a block is one paragraph, heading, list item, run of code or run of table-like rows.
 *
 * The strongest sign of a paragraph's end is that the next row's first word would still have fitted on the row before;
 * then leading, indent, size, weight, and list markers. */
#include <math.h>

#include "layout_impl.h"

/* Baselines of one row, as for fragments but looser: parts of a row that stand apart. In sizes. */
static const double LEVEL = 0.3, RAISED = 0.55, LIKE_SIZE = 0.85;
static const double SAME_SIZE = 0.93;
/* Leading: a gap this much over the neighbours' parts blocks; with no neighbour to compare, this many sizes. */
static const double WIDER = 1.25, SLACK = 0.05, LONE_LEADING = 1.7, LEADING_MAX = 3.0;
static const double INDENT = 0.8, FITS = 0.5, CENTRED = 0.5;

typedef struct {
    lay_page *page;
    double *key;
    int32_t *frame_items, *frame_start;
    int32_t order_end;
    int failed;
} block_state;

static double fmin2(double a, double b) { return a < b ? a : b; }
static double fmax2(double a, double b) { return a > b ? a : b; }
static int like(double a, double b, double share) { return fmin2(a, b) > share * fmax2(a, b); }

static const lay_fragment *at(const lay_page *p, int32_t place) { return &p->fragments[p->fragment_order[place]]; }

static uint32_t code_at(const lay_page *p, int32_t i) { return lay_mapped(p->codepoint[i], p->flags[i]); }

static int is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
static int is_latin(uint32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* "3." "(a)" "iv)" "2.1." : one to three digits, a letter, or a small Roman number, with its full stop or bracket. */
static int is_number(const lay_page *p, const lay_word *w)
{
    int32_t i = w->first, end = w->first + w->count, digits = 0, letters = 0, dots = 0, open;
    uint32_t last;
    if (w->count < 2 || w->count > 8)
        return 0;
    last = code_at(p, end - 1);
    open = code_at(p, i) == '(';
    if (last != ')' && (last != '.' || open))
        return 0;
    for (i += open; i < end - 1; i++) {
        uint32_t c = code_at(p, i);
        if (is_digit(c)) digits++;
        else if (is_latin(c)) letters++;
        else if (c == '.' && digits) dots++;
        else return 0;
    }
    if (letters) {
        if (digits || dots || letters > 4)
            return 0;
        for (i = w->first + open; letters > 1 && i < end - 1; i++) {
            uint32_t c = code_at(p, i);
            if (c != 'i' && c != 'v' && c != 'x')
                return 0;
        }
        return 1;
    }
    return digits > 0 && (dots ? digits <= 6 : digits <= 3);
}

static void find_marker(const lay_page *p, lay_row *r)
{
    const lay_word *w = &p->words[at(p, r->first)->first];
    int more = r->count > 1 || at(p, r->first)->words > 1;
    uint32_t c = code_at(p, w->first);
    if (w->flags & CH_SOURCE)
        return;
    if (lay_is_bullet(c) && (more || w->count > 1)) {
        r->marker = MARKER_BULLET;
        r->marker_chars = 1;
    } else if (more && w->count == 1 && (c == '-' || c == 0x2013 || c == 0x2014 || c == '*' || c == 'o' || c == 0xFFFD)) {
        r->marker = MARKER_BULLET;
        r->marker_chars = 1;
    } else if (more && is_number(p, w)) {
        r->marker = MARKER_NUMBER;
        r->marker_chars = w->chars;
    }
}

static void measure_row(const lay_page *p, lay_row *r)
{
    int32_t k, w, main_chars = -1;
    for (k = r->first; k < r->first + r->count; k++) {
        const lay_fragment *f = at(p, k);
        if (k == r->first) {
            const lay_word *first = &p->words[f->first];
            r->u0 = f->u0;
            r->u1 = f->u1;
            r->first_word = lay_is_wide(p->codepoint[first->first]) ? first->size : first->u1 - first->u0;
        }
        r->u0 = fmin2(r->u0, f->u0);
        r->u1 = fmax2(r->u1, f->u1);
        r->chars += f->chars;
        r->flags |= f->flags & (CH_SOURCE | WORD_RTL);
        if (f->main_chars > main_chars) {
            main_chars = f->main_chars;
            r->base = f->base;
            r->size = f->size;
        }
        for (w = f->first; w >= 0; w = p->words[w].next) {
            r->bold += (p->words[w].flags & CH_BOLD) ? p->words[w].chars : 0;
            r->mono += (p->words[w].flags & CH_MONO) ? p->words[w].chars : 0;
        }
    }
    find_marker(p, r);
}

static lay_row *open_row(lay_page *p, int32_t first, int32_t count, int32_t leaf, int32_t frame)
{
    lay_row *r = &p->rows[p->row_count++];
    memset(r, 0, sizeof *r);
    r->first = first;
    r->count = count;
    r->leaf = leaf;
    r->frame = frame;
    r->block = -1;
    return r;
}

static int on_row(const lay_fragment *main, const lay_fragment *f)
{
    double scale = fmax2(main->size, f->size), off = f->base - main->base;
    if (main->group >= 0 || f->group >= 0)
        return 0;
    return (off < 0 ? -off : off) <= (like(main->size, f->size, LIKE_SIZE) ? LEVEL : RAISED) * scale;
}

/* Rows of the fragments at `start`..`end` of the order; what fields and annotations say is a row of its own. */
static void find_rows(block_state *s, int32_t start, int32_t end, int32_t leaf, int32_t frame)
{
    lay_page *p = s->page;
    int32_t *order = p->fragment_order, k, from, piece, rtl;
    for (k = start; k < end; k++)
        s->key[order[k]] = p->fragments[order[k]].base;
    if (lay_sort(order + start, end - start, s->key)) { s->failed = 1; return; }
    for (from = start; from < end; from = k) {
        const lay_fragment *main = at(p, from);
        for (k = from + 1; k < end && on_row(main, at(p, k)); k++)
            if (at(p, k)->size > main->size)
                main = at(p, k);
        if (main->group >= 0) {
            open_row(p, from, 1, leaf, -1);
            continue;
        }
        for (rtl = 0, piece = from; piece < k; piece++)
            rtl += (at(p, piece)->flags & WORD_RTL) ? 1 : -1;
        for (piece = from; piece < k; piece++)
            s->key[order[piece]] = rtl > 0 ? -at(p, piece)->u1 : at(p, piece)->u0;
        if (lay_sort(order + from, k - from, s->key)) { s->failed = 1; return; }
        while (from < k) {
            for (piece = from + 1; piece < k && !((at(p, from)->flags | at(p, piece)->flags) & CH_SOURCE); piece++)
                ;
            measure_row(p, open_row(p, from, piece - from, leaf, frame));
            from = piece;
        }
    }
}

static int is_group(const lay_page *p, const lay_row *r) { return at(p, r->first)->group >= 0; }
static int is_code(const lay_row *r) { return r->mono * 10 >= r->chars * 8; }
static int all_bold(const lay_row *r) { return r->bold * 10 >= r->chars * 9; }

static int gaps(const lay_page *p, const lay_row *r)
{
    int lead = r->marker && at(p, r->first)->words == 1 ? 1 : 0;
    return r->count - lead > 1;
}

/* Rows with gaps come in company, or are a line that was justified too far. */
static int is_tabular(const lay_page *p, int32_t row, int32_t from, int32_t end)
{
    const lay_row *r = &p->rows[row];
    if (!gaps(p, r))
        return 0;
    return (row > from && gaps(p, r - 1) && !is_group(p, r - 1)) || (row + 1 < end && gaps(p, r + 1) && !is_group(p, r + 1));
}

static double leading(const lay_row *r, int32_t k) { return r[k].base - r[k - 1].base; }

/* Whether white, size or source parts row k from the one before it; rows `from`..`end` are of one leaf. */
static int stands_apart(const lay_page *p, int32_t k, int32_t from, int32_t end)
{
    const lay_row *r = p->rows;
    double gap = leading(r, k), usual = -1;
    if (is_group(p, &r[k]) || is_group(p, &r[k - 1]) || (r[k].flags & CH_SOURCE) || (r[k - 1].flags & CH_SOURCE))
        return 1;
    if (!like(r[k].size, r[k - 1].size, SAME_SIZE) || gap > LEADING_MAX * r[k].size)
        return 1;
    if (k - 1 > from && like(r[k - 1].size, r[k - 2].size, SAME_SIZE) && leading(r, k - 1) > 0.5 * r[k].size)
        usual = leading(r, k - 1);
    if (k + 1 < end && like(r[k].size, r[k + 1].size, SAME_SIZE) && leading(r, k + 1) > 0.5 * r[k].size && (usual < 0 || leading(r, k + 1) < usual))
        usual = leading(r, k + 1);
    return usual < 0 ? gap > LONE_LEADING * r[k].size : gap > WIDER * usual + SLACK * r[k].size;
}

typedef struct {
    int32_t from, end;
    double left, right;
    int hanging;
} run_facts;

/* The next row's first word would have fitted on row k. */
static int is_short(const lay_page *p, const run_facts *run, int32_t k)
{
    return run->right - p->rows[k].u1 > p->rows[k + 1].first_word + FITS * p->rows[k].size;
}

static int centred(const lay_row *a, const lay_row *b)
{
    double off = 0.5 * (a->u0 + a->u1) - 0.5 * (b->u0 + b->u1), shift = a->u0 - b->u0;
    return off < CENTRED * a->size && off > -CENTRED * a->size && (shift > INDENT * a->size || shift < -INDENT * a->size);
}

/* Hanging: indents follow full rows and returns follow short ones, as in bibliographies; else a first line is indented. */
static void measure_run(const lay_page *p, run_facts *run)
{
    int32_t k, hanging = 0;
    run->left = p->rows[run->from].u0;
    run->right = p->rows[run->from].u1;
    for (k = run->from; k < run->end; k++) {
        run->left = fmin2(run->left, p->rows[k].u0);
        run->right = fmax2(run->right, p->rows[k].u1);
    }
    for (k = run->from + 1; k < run->end; k++) {
        double shift = p->rows[k].u0 - p->rows[k - 1].u0, step = INDENT * p->rows[k].size;
        if (shift > step)
            hanging += is_short(p, run, k - 1) ? -1 : 1;
        else if (shift < -step)
            hanging += is_short(p, run, k - 1) ? 1 : -1;
    }
    run->hanging = hanging > 0;
}

static int marker_begins(const lay_page *p, const run_facts *run, int32_t k, const lay_block *b)
{
    const lay_row *r = &p->rows[k], *prev = r - 1;
    double shift = r->u0 - p->rows[b->first_row].u0;
    if (!r->marker)
        return 0;
    if (r->marker == MARKER_BULLET && lay_is_bullet(code_at(p, p->words[at(p, r->first)->first].first)))
        return 1;
    if (is_short(p, run, k - 1) || (b->marker == r->marker && shift < 0.5 * r->size && shift > -0.5 * r->size))
        return 1;
    return r->marker == MARKER_BULLET && r->u0 - prev->u0 > 0.3 * r->size;
}

/* Whether row k of a run begins a block; `b` is the block of the row before. */
static int begins_block(const lay_page *p, const run_facts *run, int32_t k, const lay_block *b)
{
    const lay_row *r = &p->rows[k], *prev = r - 1;
    double shift = r->u0 - prev->u0, step = INDENT * r->size;
    int tabular = is_tabular(p, k, run->from, run->end);
    if (tabular != is_tabular(p, k - 1, run->from, run->end))
        return 1;
    if (tabular)
        return 0;
    if (is_code(r) != is_code(prev))
        return 1;
    if (is_code(r))
        return 0;
    if (marker_begins(p, run, k, b))
        return 1;
    if (all_bold(r) != all_bold(prev) && r->bold * 2 < r->chars + prev->bold && run->right - prev->u1 > prev->size)
        return 1;
    if (centred(prev, r))
        return 0;
    if (is_short(p, run, k - 1))
        return 1;
    if (b->marker)
        return b->rows > 1 && shift < -step;
    return run->hanging ? shift < -step : shift > step && b->rows > 0 && prev->u0 - run->left < step;
}

/* To a hundredth of a point, a tenth for sizes: finer differences are the writer's arithmetic. */
static double rounded(double v, double steps) { return floor(v * steps + 0.5) / steps; }

static void measure_block(lay_page *p, lay_block *b)
{
    int32_t k, f, w, main_chars = -1, main_row = -1;
    int first = 1;
    for (k = b->first_row; k < b->first_row + b->rows; k++) {
        const lay_row *r = &p->rows[k];
        if (r->chars > main_row) { main_row = r->chars; b->size = r->size; }
        b->chars += r->chars;
        b->bold += r->bold;
        b->mono += r->mono;
        b->flags |= r->flags & (CH_SOURCE | WORD_RTL);
        for (f = r->first; f < r->first + r->count; f++)
            for (w = at(p, f)->first; w >= 0; w = p->words[w].next) {
                const lay_word *word = &p->words[w];
                b->italic += (word->flags & CH_ITALIC) ? word->chars : 0;
                b->math += (word->flags & WORD_MATH) ? word->chars : 0;
                if (word->chars > main_chars) { main_chars = word->chars; b->font = word->font; }
                if (first) {
                    b->x0 = word->x0; b->y0 = word->y0; b->x1 = word->x1; b->y1 = word->y1;
                    b->mcid = word->mcid;
                    b->flags |= word->flags & CH_INVISIBLE;
                    first = 0;
                }
                b->x0 = fmin2(b->x0, word->x0);
                b->y0 = fmin2(b->y0, word->y0);
                b->x1 = fmax2(b->x1, word->x1);
                b->y1 = fmax2(b->y1, word->y1);
            }
    }
    b->x0 = rounded(b->x0, 100);
    b->y0 = rounded(b->y0, 100);
    b->x1 = rounded(b->x1, 100);
    b->y1 = rounded(b->y1, 100);
    b->size = rounded(b->size, 10);
    if (b->bold * 2 > b->chars) b->flags |= CH_BOLD;
    if (b->italic * 2 > b->chars) b->flags |= CH_ITALIC;
    if (b->mono * 10 >= b->chars * 8) b->flags |= CH_MONO;
}

static lay_block *open_block(lay_page *p, int32_t row, int32_t frame, int32_t group)
{
    lay_block *b = &p->blocks[p->block_count++];
    memset(b, 0, sizeof *b);
    b->first_row = row;
    b->frame = frame;
    b->group = group;
    b->mcid = -1;
    b->direction = p->main_direction;
    return b;
}

/* One block for each frame of a group that holds text. */
static void blocks_of_group(block_state *s, int32_t group)
{
    lay_page *p = s->page;
    int32_t frame, k, first_row;
    for (frame = 0; frame < p->frame_count; frame++) {
        if (p->frame_group[frame] != group || s->frame_start[frame] == s->frame_start[frame + 1])
            continue;
        int32_t start = s->order_end;
        for (k = s->frame_start[frame]; k < s->frame_start[frame + 1]; k++)
            p->fragment_order[s->order_end++] = s->frame_items[k];
        first_row = p->row_count;
        find_rows(s, start, s->order_end, -1, frame);
        if (s->failed)
            return;
        lay_block *b = open_block(p, first_row, frame, group);
        b->rows = p->row_count - first_row;
        for (k = first_row; k < p->row_count; k++)
            p->rows[k].block = p->block_count - 1;
        measure_block(p, b);
        b->left = b->x0;
        b->right = b->x1;
    }
}

static void blocks_of_run(lay_page *p, run_facts *run)
{
    int32_t k;
    lay_block *b = NULL;
    measure_run(p, run);
    for (k = run->from; k < run->end; k++) {
        if (!b || begins_block(p, run, k, b)) {
            b = open_block(p, k, -1, -1);
            b->direction = at(p, p->rows[k].first)->direction;
            b->marker = p->rows[k].marker;
            b->marker_chars = p->rows[k].marker_chars;
            b->left = run->left;
            b->right = run->right;
            if (is_tabular(p, k, run->from, run->end)) {
                b->flags |= BLOCK_TABULAR;
                b->marker = b->marker_chars = 0;
            }
        } else if (centred(&p->rows[k - 1], &p->rows[k]))
            b->flags |= BLOCK_CENTRED;
        b->rows++;
        p->rows[k].block = p->block_count - 1;
    }
}

static void blocks_of_leaf(block_state *s, int32_t leaf)
{
    lay_page *p = s->page;
    int32_t from = p->row_count, end, k, start, block = p->block_count;
    find_rows(s, p->leaf_start[leaf], p->leaf_start[leaf + 1], leaf, -1);
    end = p->row_count;
    for (start = from; start < end && !s->failed; start = k) {
        run_facts run = {.from = start};
        for (k = start + 1; k < end && !stands_apart(p, k, from, end); k++)
            ;
        if (is_group(p, &p->rows[start])) {
            blocks_of_group(s, at(p, p->rows[start].first)->group);
            continue;
        }
        run.end = k;
        blocks_of_run(p, &run);
    }
    if (p->block_count > block)
        p->blocks[block].flags |= BLOCK_FIRST_IN_LEAF;
    for (; block < p->block_count; block++)
        if (p->blocks[block].frame < 0)
            measure_block(p, &p->blocks[block]);
}

/* Fragments by frame, in the order of the content: a counting sort. */
static void gather_frames(block_state *s)
{
    const lay_page *p = s->page;
    int32_t k;
    for (k = 0; k < p->fragment_count; k++)
        if (p->fragments[k].frame >= 0)
            s->frame_start[p->fragments[k].frame + 1]++;
    for (k = 0; k < p->frame_count; k++)
        s->frame_start[k + 1] += s->frame_start[k];
    for (k = p->fragment_count - 1; k >= 0; k--)
        if (p->fragments[k].frame >= 0)
            s->frame_items[--s->frame_start[p->fragments[k].frame + 1]] = k;
    /* Each start has moved down to its own frame's first place; shift them back by one frame. */
    for (k = 0; k < p->frame_count; k++)
        s->frame_start[k] = s->frame_start[k + 1];
    s->frame_start[p->frame_count] = 0;
    for (k = 0; k < p->fragment_count; k++)
        s->frame_start[p->frame_count] += p->fragments[k].frame >= 0;
}

int lay_find_blocks(lay_page *p)
{
    block_state s = {.page = p, .order_end = p->ordered};
    size_t n = (size_t)p->fragment_count;
    int32_t leaf;
    p->rows = malloc(sizeof(lay_row) * (n + 1));
    p->blocks = malloc(sizeof(lay_block) * (n + 1));
    s.key = malloc(sizeof(double) * (n + 1));
    s.frame_items = malloc(sizeof(int32_t) * (n + 1));
    s.frame_start = calloc((size_t)p->frame_count + 2, sizeof(int32_t));
    s.failed = !p->rows || !p->blocks || !s.key || !s.frame_items || !s.frame_start;
    if (!s.failed)
        gather_frames(&s);
    for (leaf = 0; leaf < p->leaf_count && !s.failed; leaf++)
        blocks_of_leaf(&s, leaf);
    free(s.key);
    free(s.frame_items);
    free(s.frame_start);
    return s.failed ? -1 : 0;
}
