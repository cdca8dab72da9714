/* Blocks -> text: words joined over row ends, hyphenation undone, ligatures expanded, runs of style noted. */
#include "layout_impl.h"

static int is_digit(uint32_t c) { return c >= '0' && c <= '9'; }

static int push(lay_page *p, uint32_t code)
{
    if (p->text_count == p->text_room) {
        int32_t room = p->text_room ? p->text_room + p->text_room / 2 : p->count + p->count / 4 + 64;
        uint32_t *text = realloc(p->text, sizeof(uint32_t) * (size_t)room);
        if (!text)
            return -1;
        p->text = text;
        p->text_room = room;
    }
    p->text[p->text_count++] = code;
    return 0;
}

/* Latin ligatures, U+FB00 to U+FB06, as letters. */
static const char *const LIGATURES[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};

static int push_character(lay_page *p, uint32_t code, int last, int32_t *normalise)
{
    const char *letter;
    if (code >= 0xFB00 && code <= 0xFB06) {
        for (letter = LIGATURES[code - 0xFB00]; *letter; letter++)
            if (push(p, (uint32_t)*letter))
                return -1;
        return 0;
    }
    if (code == 0xAD && !last)
        return 0;
    *normalise |= code >= 0x300 && lay_needs_normalising(code);
    return push(p, code);
}

static int note_run(lay_page *p, int32_t start, int32_t end, int32_t style, int32_t link, int32_t block)
{
    lay_run *r = p->run_count ? &p->runs[p->run_count - 1] : NULL;
    if (r && r->block == block && r->style == style && r->link == link && r->end + 1 >= start) {
        r->end = end;
        return 0;
    }
    if (p->run_count == p->run_room) {
        int32_t room = p->run_room ? p->run_room * 2 : 32;
        r = realloc(p->runs, sizeof(lay_run) * (size_t)room);
        if (!r)
            return -1;
        p->runs = r;
        p->run_room = room;
    }
    r = &p->runs[p->run_count++];
    r->start = start;
    r->end = end;
    r->style = style;
    r->link = link;
    r->block = block;
    return 0;
}

static int write_word(lay_page *p, const lay_word *w, const lay_block *b, int32_t block, int last, int32_t *normalise)
{
    int32_t i, start = p->text_count, end = w->first + w->count, style = w->flags & CH_STYLE;
    for (i = w->first; i < end; i++)
        if (!lay_is_dropped(p->codepoint[i]) &&
            push_character(p, lay_mapped(p->codepoint[i], p->flags[i]), last && i == end - 1, normalise))
            return -1;
    if ((w->link < 0) && (style == (b->flags & CH_STYLE) || (w->flags & WORD_MATH)))
        return 0;
    return note_run(p, start, p->text_count, style, w->link, block);
}

static int write_row(lay_page *p, int32_t row, const lay_block *b, int32_t block, int32_t *normalise)
{
    lay_row *r = &p->rows[row];
    int32_t k, w;
    r->text_start = p->text_count;
    for (k = r->first; k < r->first + r->count; k++) {
        lay_fragment *f = &p->fragments[p->fragment_order[k]];
        if (k > r->first && push(p, (b->flags & BLOCK_TABULAR) ? '\t' : ' '))
            return -1;
        f->text_start = p->text_count;
        for (w = f->first; w >= 0; w = p->words[w].next) {
            int last = k == r->first + r->count - 1 && p->words[w].next < 0;
            if (w != f->first && (p->words[w].flags & WORD_SPACE) && push(p, ' '))
                return -1;
            if (write_word(p, &p->words[w], b, block, last, normalise))
                return -1;
        }
        f->text_end = p->text_count;
    }
    r->text_end = p->text_count;
    return 0;
}

/* First parts of English compounds that keep their hyphen at a line's end; syllables seldom look like these. */
static const char *const COMPOUNDS[] = {"self", "well", "half", "cross", "high", "low", "long", "short", "two", "three",
                                        "four", "five", "six", "so", "quasi", "non", "large", "small", "first", NULL};

static int is_compound(const uint32_t *text, int32_t start, int32_t end)
{
    const char *const *known;
    int32_t k, n;
    for (k = end - 1; k >= start && lay_is_letter(text[k]); k--)
        ;
    if (k >= start && (lay_is_hyphen(text[k]) || is_digit(text[k])))
        return 1;
    n = end - 1 - k;
    for (known = COMPOUNDS; *known; known++)
        if ((int32_t)strlen(*known) == n) {
            int32_t i;
            for (i = 0; i < n && (text[k + 1 + i] | 0x20) == (uint32_t)(*known)[i]; i++)
                ;
            if (i == n)
                return 1;
        }
    return 0;
}

static uint32_t first_code(const lay_page *p, const lay_row *r)
{
    const lay_word *w = &p->words[p->fragments[p->fragment_order[r->first]].first];
    return lay_mapped(p->codepoint[w->first], p->flags[w->first]);
}

static int take_hyphen(lay_page *p)
{
    p->text_count--;
    if (p->run_count && p->runs[p->run_count - 1].end > p->text_count)
        p->runs[p->run_count - 1].end = p->text_count;
    return 0;
}

/* What stands between a row and the next of its paragraph: nothing, or a space; a hyphenated word is made whole. */
static int join_rows(lay_page *p, int32_t start, const lay_row *next)
{
    uint32_t last = p->text[p->text_count - 1], before = p->text_count - 1 > start ? p->text[p->text_count - 2] : ' ', code = first_code(p, next);
    if (last == 0xAD)
        return take_hyphen(p);
    if (lay_is_hyphen(last) && (lay_is_letter(before) || is_digit(before)) && (lay_is_letter(code) || is_digit(code))) {
        if (lay_is_lower(code) && !is_compound(p->text, start, p->text_count - 1))
            take_hyphen(p);
        return 0;
    }
    if ((lay_is_wide(last) && lay_is_wide(code)) || (last == 0x2014 && before != ' '))
        return 0;
    return push(p, ' ');
}

/* A row of code begins with as many spaces as its indent is wide. */
static const int32_t INDENT_MAX = 60;

static double left_edge(const lay_page *p, const lay_block *b)
{
    double left = p->rows[b->first_row].u0;
    int32_t k;
    for (k = b->first_row; k < b->first_row + b->rows; k++)
        if (p->rows[k].u0 < left)
            left = p->rows[k].u0;
    return left;
}

static int indent(lay_page *p, double left, const lay_row *r)
{
    const lay_word *w = &p->words[p->fragments[p->fragment_order[r->first]].first];
    double step = (w->u1 - w->u0) / (w->chars > 0 ? w->chars : 1), spaces;
    int32_t k, n;
    spaces = step > 0 ? (r->u0 - left) / step + 0.5 : 0;
    n = spaces > INDENT_MAX ? INDENT_MAX : (int32_t)spaces;
    for (k = 0; k < n; k++)
        if (push(p, ' '))
            return -1;
    return 0;
}

static int write_block(lay_page *p, int32_t block)
{
    lay_block *b = &p->blocks[block];
    int32_t k, normalise = 0;
    int code = (b->flags & CH_MONO) && b->frame < 0, lines = code || (b->flags & BLOCK_TABULAR);
    double left = left_edge(p, b);
    b->text_start = p->text_count;
    for (k = b->first_row; k < b->first_row + b->rows; k++) {
        if (k > b->first_row && p->text_count > b->text_start && (lines ? push(p, '\n') : join_rows(p, b->text_start, &p->rows[k])))
            return -1;
        if (code && b->rows > 1 && indent(p, left, &p->rows[k]))
            return -1;
        if (write_row(p, k, b, block, &normalise))
            return -1;
    }
    if (p->text_count > b->text_start && p->text[p->text_count - 1] == 0xAD)
        take_hyphen(p);
    b->text_end = p->text_count;
    if (normalise)
        b->flags |= BLOCK_NORMALISE;
    return 0;
}

int lay_write_text(lay_page *p)
{
    int32_t k;
    for (k = 0; k < p->block_count; k++)
        if (write_block(p, k))
            return -1;
    return 0;
}

void lay_free(lay_page *p)
{
    free(p->words);
    free(p->fragments);
    free(p->fragment_order);
    free(p->leaf_start);
    free(p->rows);
    free(p->blocks);
    free(p->runs);
    free(p->text);
}
