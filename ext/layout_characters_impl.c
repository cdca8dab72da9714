/* Facts about characters, and the one sort. Tables are of Unicode 15's blocks; the twin holds the same. */
#include "layout_impl.h"

int lay_is_other_space(uint32_t c)
{
    return c == 0x20 || (c >= 9 && c <= 13) || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* No glyph and no meaning of its own in plain text: NUL, zero-width space, word joiner, byte order mark, bidi controls. */
int lay_is_other_dropped(uint32_t c)
{
    return c == 0 || c == 0x200B || c == 0x2060 || c == 0xFEFF || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

int lay_is_rtl(uint32_t c)
{
    return (c >= 0x590 && c <= 0x8FF) || (c >= 0xFB1D && c <= 0xFDFF) || (c >= 0xFE70 && c <= 0xFEFC);
}

/* Scripts written without spaces, whose lines join without one. Hangul has spaces. */
int lay_is_wide(uint32_t c)
{
    return (c >= 0x2E80 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFF00 && c <= 0xFFEF) || (c >= 0x20000 && c <= 0x3FFFF);
}

int lay_is_lower(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF && c != 0xF7) || (c >= 0x100 && c <= 0x17F && (c & 1)) ||
           (c >= 0x3AC && c <= 0x3CE) || (c >= 0x430 && c <= 0x45F) || (c >= 0xFB00 && c <= 0xFB06);
}

int lay_is_letter(uint32_t c)
{
    return (c >= 'A' && c <= 'Z') || lay_is_lower(c) || (c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7) ||
           (c >= 0x370 && c <= 0x58F);
}

/* Not surely in NFC by itself: combining marks and what has a canonical decomposition that composes elsewhere. */
int lay_needs_normalising(uint32_t c)
{
    if (c < 0x300 || (c >= 0x2010 && c <= 0x2060) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3))
        return 0;
    if (c >= 0x370)
        return !((c >= 0x388 && c <= 0x45F) || (c >= 0x20A0 && c <= 0x20CF) || (c >= 0x2190 && c <= 0x2328) ||
                 (c >= 0x2500 && c <= 0x27BF) || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FA) ||
                 (c >= 0xFF00 && c <= 0xFFFD) || (c >= 0x1D400 && c <= 0x1D7FF));
    return 1;
}

int lay_is_bullet(uint32_t c)
{
    switch (c) {
    case 0x2022: case 0x2023: case 0x2043: case 0x204C: case 0x204D: case 0x2219: case 0x25A0: case 0x25A1: case 0x25AA:
    case 0x25AB: case 0x25B6: case 0x25B8: case 0x25BA: case 0x25CB: case 0x25CF: case 0x25C6: case 0x25C7: case 0x25E6:
    case 0x25FC: case 0x25FE: case 0x2605: case 0x2606: case 0x2610: case 0x2611: case 0x2612: case 0x2713: case 0x2714:
    case 0x2717: case 0x2756: case 0x27A2: case 0x27A4: case 0xB7: case 0x2666: case 0x21D2: case 0x2794: case 0x279E:
        return 1;
    }
    return 0;
}

int lay_is_hyphen(uint32_t c)
{
    return c == '-' || c == 0xAD || c == 0x2010;
}

/* Private-use codes that symbol fonts (Symbol, Wingdings) give their glyphs and that many writers leave unmapped. */
static uint32_t symbol(uint32_t c)
{
    switch (c) {
    case 0xF0B7: case 0xF06C: case 0xF09F: return 0x2022;
    case 0xF0A7: case 0xF06E: return 0x25AA;
    case 0xF0A8: case 0xF06F: case 0xF071: return 0x25A1;
    case 0xF076: return 0x2756;
    case 0xF0D8: return 0x27A2;
    case 0xF0E0: return 0x2192;
    case 0xF0FC: return 0x2713;
    case 0xF0FB: return 0x2717;
    case 0xF0FE: return 0x2611;
    case 0xF02D: return 0x2212;
    case 0xF02B: return 0x2B;
    case 0xF03D: return 0x3D;
    case 0xF0B0: return 0xB0;
    case 0xF0B1: return 0xB1;
    case 0xF0B4: return 0xD7;
    case 0xF0A3: return 0x2264;
    case 0xF0B3: return 0x2265;
    case 0xF061: return 0x3B1;
    case 0xF062: return 0x3B2;
    case 0xF06D: return 0x3BC;
    case 0xF020: return 0x20;
    }
    return 0;
}

/* The character as text: symbols mapped, a character that is evidently none as U+FFFD, so that its place stays seen. */
uint32_t lay_other_mapped(uint32_t c, int flags)
{
    if (c >= 0xE000 && c <= 0xF8FF) {
        uint32_t known = symbol(c);
        return known ? known : 0xFFFD;
    }
    if ((flags & CH_GARBAGE) || (c < 0x20 && !lay_is_space(c)) || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF)
        return 0xFFFD;
    return c;
}

/* Bottom-up merge sort: stable, and linear on what is already in order, which most pages nearly are. */
int lay_sort(int32_t *index, int32_t count, const double *key)
{
    int32_t i, width;
    int sorted = 1;
    for (i = 1; i < count && sorted; i++)
        sorted = key[index[i - 1]] < key[index[i]] || (key[index[i - 1]] == key[index[i]] && index[i - 1] < index[i]);
    if (sorted)
        return 0;
    int32_t *other = malloc(sizeof(int32_t) * (size_t)count), *from = index, *to = other;
    if (!other)
        return -1;
    for (width = 1; width < count; width = width > count / 2 ? count : width * 2) {
        for (i = 0; i < count; i += 2 * width) {
            int32_t a = i, a_end = count - i < width ? count : i + width;
            int32_t b = a_end, b_end = count - a_end < width ? count : a_end + width, k = i;
            while (a < a_end && b < b_end) {
                double ka = key[from[a]], kb = key[from[b]];
                int first = ka < kb || (ka == kb && from[a] < from[b]);
                to[k++] = first ? from[a++] : from[b++];
            }
            while (a < a_end)
                to[k++] = from[a++];
            while (b < b_end)
                to[k++] = from[b++];
            if (b_end == count)
                break;
        }
        { int32_t *swap = from; from = to; to = swap; }
    }
    if (from != index)
        memcpy(index, from, sizeof(int32_t) * (size_t)count);
    free(other);
    return 0;
}
