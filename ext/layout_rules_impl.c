/* Rules -> pieces -> lines -> the groups of lines that cross one another. */
#include <math.h>

#include "layout_impl.h"

/* Values of the engine's rule kinds; any other is a box. */
enum { KIND_HORIZONTAL = 0, KIND_VERTICAL = 1 };

static int compare(double a, double b) { return (a > b) - (a < b); }

static int by_position(const void *left, const void *right)
{
    const lay_line *a = left, *b = right;
    int order = compare(a->position, b->position);
    order = order ? order : compare(a->start, b->start);
    return order ? order : compare(a->end, b->end);
}

static int by_start(const void *left, const void *right)
{
    const lay_line *a = left, *b = right;
    int order = compare(a->start, b->start);
    return order ? order : by_position(left, right);
}

static void add(lay_line *lines, int32_t *count, double position, double start, double end)
{
    lay_line *line = &lines[(*count)++];
    line->position = position;
    line->start = start;
    line->end = end;
}

static void collect(lay_rules *r)
{
    double page_area = r->width * r->height;
    int32_t i;
    for (i = 0; i < r->rule_count; i++) {
        double x0 = r->box[4 * i], y0 = r->box[4 * i + 1], x1 = r->box[4 * i + 2], y1 = r->box[4 * i + 3];
        if (!(isfinite(x0) && isfinite(y0) && isfinite(x1) && isfinite(y1)))
            continue;
        if (r->kind[i] == KIND_HORIZONTAL) {
            add(r->levels, &r->level_count, (y0 + y1) / 2, x0, x1);
        } else if (r->kind[i] == KIND_VERTICAL) {
            add(r->uprights, &r->upright_count, (x0 + x1) / 2, y0, y1);
        } else if (x1 - x0 > LAY_COLUMN_MIN && y1 - y0 > LAY_ROW_MIN && (x1 - x0) * (y1 - y0) < 0.8 * page_area) {
            add(r->levels, &r->level_count, y0, x0, x1);
            add(r->levels, &r->level_count, y1, x0, x1);
            add(r->uprights, &r->upright_count, x0, y0, y1);
            add(r->uprights, &r->upright_count, x1, y0, y1);
        }
    }
}

static int32_t keep(lay_line *lines, int32_t count, lay_line line)
{
    if (line.end - line.start >= LAY_ROW_MIN)
        lines[count++] = line;
    return count;
}

/* Pieces on one line that touch, as one, in place: a line is written where one of its pieces has been read. */
static int32_t join(lay_line *lines, int32_t count)
{
    int32_t from, to, k, kept = 0;
    qsort(lines, (size_t)count, sizeof(lay_line), by_position);
    for (from = 0; from < count; from = to) {
        lay_line open;
        for (to = from + 1; to < count && lines[to].position - lines[from].position <= LAY_SAME_LINE / 2; to++)
            ;
        if (to - from > 1)
            qsort(lines + from, (size_t)(to - from), sizeof(lay_line), by_start);
        open = lines[from];
        for (k = from + 1; k < to; k++) {
            lay_line piece = lines[k];
            if (piece.start > open.end + LAY_TOUCH) {
                kept = keep(lines, kept, open);
                open.start = piece.start;
                open.end = piece.end;
            } else if (piece.end > open.end) {
                open.end = piece.end;
            }
        }
        kept = keep(lines, kept, open);
    }
    return kept;
}

static lay_line *root(lay_line *line)
{
    while (line->parent != line) {
        line->parent = line->parent->parent;
        line = line->parent;
    }
    return line;
}

static void connect(lay_rules *r)
{
    int32_t i, j;
    for (i = 0; i < r->level_count; i++)
        r->levels[i].parent = &r->levels[i];
    for (j = 0; j < r->upright_count; j++)
        r->uprights[j].parent = &r->uprights[j];
    for (i = 0; i < r->level_count; i++) {
        lay_line *own = root(&r->levels[i]);
        double y = r->levels[i].position;
        double x0 = r->levels[i].start - LAY_TOUCH, x1 = r->levels[i].end + LAY_TOUCH;
        for (j = 0; j < r->upright_count; j++) {
            lay_line *other = &r->uprights[j];
            if (x0 <= other->position && other->position <= x1 && other->start - LAY_TOUCH <= y
                && y <= other->end + LAY_TOUCH)
                root(other)->parent = own;
        }
    }
}

/* Groups are numbered by their first level line; one without level lines has the number -1. */
static void number(lay_rules *r)
{
    int32_t i;
    for (i = 0; i < r->level_count; i++)
        r->levels[i].group = -1;
    for (i = 0; i < r->upright_count; i++)
        r->uprights[i].group = -1;
    for (i = 0; i < r->level_count; i++) {
        lay_line *top = root(&r->levels[i]);
        if (top->group < 0)
            top->group = r->group_count++;
        r->levels[i].group = top->group;
    }
    for (i = 0; i < r->upright_count; i++)
        r->uprights[i].group = root(&r->uprights[i])->group;
}

int lay_connect_rules(lay_rules *r)
{
    r->levels = malloc(sizeof(lay_line) * (2 * (size_t)r->rule_count + 1));
    r->uprights = malloc(sizeof(lay_line) * (2 * (size_t)r->rule_count + 1));
    if (!r->levels || !r->uprights)
        return -1;
    collect(r);
    if (r->level_count < 2 || r->upright_count < 1 || r->level_count + r->upright_count > LAY_PIECES_MAX)
        return 0;
    r->level_count = join(r->levels, r->level_count);
    r->upright_count = join(r->uprights, r->upright_count);
    if (r->level_count < 2 || r->upright_count < 1 || r->level_count > LAY_CROSSINGS_MAX / r->upright_count)
        return 0;
    connect(r);
    number(r);
    return 0;
}

void lay_free_rules(lay_rules *r)
{
    free(r->levels);
    free(r->uprights);
}
