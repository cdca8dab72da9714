/* Growing arrays and the text pool. */
#include "pdftext_impl.h"

#include <stdlib.h>
#include <string.h>

/* Room for `items` more at the end, or NULL; offsets into an array are 32 bits, so that is where it ends. */
void *nd_push(nd_vector *vector, size_t item_size, size_t items) {
    if (items > UINT32_MAX || vector->count + items > UINT32_MAX)
        return NULL;
    if (vector->count + items > vector->capacity) {
        size_t capacity = vector->capacity ? vector->capacity * 2 : 64;
        if (capacity < vector->count + items)
            capacity = vector->count + items;
        char *data = realloc(vector->data, capacity * item_size);
        if (!data)
            return NULL;
        vector->data = data;
        vector->capacity = capacity;
    }
    void *added = vector->data + vector->count * item_size;
    vector->count += items;
    return added;
}

void nd_release(nd_vector *vector) {
    free(vector->data);
    memset(vector, 0, sizeof *vector);
}

void nd_trim(const char *data, nd_text *text) {
    while (text->size >= 2 && !data[text->at + text->size - 1] && !data[text->at + text->size - 2])
        text->size -= 2;
}

/* The next code point of UTF-16LE, pairs joined, U+FFFD for half a pair. */
uint32_t nd_next_code(const char *utf16, uint32_t size, uint32_t *at) {
    const unsigned char *bytes = (const unsigned char *)utf16;
    uint32_t code = (uint32_t)bytes[*at] | (uint32_t)bytes[*at + 1] << 8;
    *at += 2;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code < 0xDC00 && *at + 2 <= size) {
        uint32_t low = (uint32_t)bytes[*at] | (uint32_t)bytes[*at + 1] << 8;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *at += 2;
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}
