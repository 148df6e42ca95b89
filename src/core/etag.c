#include "core/etag.h"

#include <assert.h>
#include <stdio.h>

typedef struct {
    bool weak;
    hust_slice_t opaque; /* between the quotes */
} tag_t;

/* A stamp that no clock issues (it would have no successor): equal to none that is held. */
static const hust_stamp_t stamp_of_nothing = {.time = UINT64_MAX, .writer = UINT32_MAX};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static hust_slice_t skip(hust_slice_t text, size_t count)
{
    assert(count <= text.len);
    return hust_slice_of(text.data + count, text.len - count);
}

static hust_slice_t trim(hust_slice_t text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text = skip(text, 1);
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

static bool is_star(hust_slice_t text)
{
    return text.len == 1 && text.data[0] == '*';
}

/* Blanks and the commas of empty list members, which a recipient has to ignore. */
static hust_slice_t skip_separators(hust_slice_t text)
{
    while (text.len > 0 && (is_blank(text.data[0]) || text.data[0] == ',')) {
        text = skip(text, 1);
    }
    return text;
}

/* Take one entity tag off the front of `text`; false if there is none. */
static bool take_tag(hust_slice_t *text, tag_t *tag)
{
    hust_slice_t rest = *text;
    tag->weak = rest.len >= 2 && rest.data[0] == 'W' && rest.data[1] == '/';
    if (tag->weak) {
        rest = skip(rest, 2);
    }
    if (rest.len == 0 || rest.data[0] != '"') {
        return false;
    }
    rest = skip(rest, 1);
    const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.data, '"', rest.len);
    if (end == NULL) {
        return false;
    }
    tag->opaque = hust_slice_of(rest.data, (size_t)(end - rest.data));
    assert(tag->opaque.len < rest.len);
    *text = skip(rest, tag->opaque.len + 1);
    return true;
}

/* Tags compare byte for byte, so the other case of a hex digit makes another tag. */
static bool tag_is_stamp(hust_slice_t opaque, hust_stamp_t *stamp)
{
    char hex[HUST_STAMP_HEX_CHARS + 1];
    if (!hust_stamp_from_hex(opaque, stamp)) {
        return false;
    }
    assert(opaque.len == HUST_STAMP_HEX_CHARS);
    hust_stamp_to_hex(*stamp, hex);
    return memcmp(hex, opaque.data, HUST_STAMP_HEX_CHARS) == 0;
}

bool hust_etag_match(hust_slice_t header, hust_stamp_t stamp)
{
    hust_slice_t rest = trim(header);
    if (is_star(rest)) {
        return true;
    }
    for (rest = skip_separators(rest); rest.len > 0; rest = skip_separators(rest)) {
        tag_t tag;
        hust_stamp_t named;
        if (!take_tag(&rest, &tag)) {
            return false;
        }
        if (tag_is_stamp(tag.opaque, &named) && hust_stamp_compare(named, stamp) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned refuse(char message[HUST_MESSAGE_BYTES], const char *text)
{
    snprintf(message, HUST_MESSAGE_BYTES, "%s", text);
    return 400;
}

static bool take_if_match(hust_slice_t header, hust_op_t *op)
{
    tag_t tag;
    if (is_star(header)) {
        op->flags |= HUST_OPF_IF_EXISTS;
        return true;
    }
    if (!take_tag(&header, &tag) || tag.weak || header.len != 0) {
        return false;
    }
    op->flags |= HUST_OPF_HAS_IF_MATCH;
    if (!tag_is_stamp(tag.opaque, &op->if_match)) {
        op->if_match = stamp_of_nothing;
    }
    return true;
}

unsigned hust_etag_write_conditions(const hust_conditions_t *conditions, hust_op_t *op,
                                    char message[HUST_MESSAGE_BYTES])
{
    assert(hust_op_is_write(op));
    hust_slice_t if_match = trim(conditions->if_match);
    hust_slice_t if_none_match = trim(conditions->if_none_match);
    if (conditions->if_match.data != NULL && !take_if_match(if_match, op)) {
        return refuse(message, "If-Match: neither one strong entity tag nor *");
    }
    if (conditions->if_none_match.data != NULL) {
        if (!is_star(if_none_match)) {
            return refuse(message, "If-None-Match: only * on a write");
        }
        op->flags |= HUST_OPF_IF_ABSENT;
    }
    return 0;
}
