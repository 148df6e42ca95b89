#include "core/element.h"

#include <assert.h>

unsigned hust_bucket(hust_slice_t bytes)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        hash = hash * 31 + bytes.data[i];
    }
    return (unsigned)(hash % HUST_BUCKET_COUNT);
}

unsigned hust_element_bucket(const hust_element_t *element)
{
    assert(hust_type_valid(element->type));
    return hust_bucket(element->type == HUST_TYPE_ZSET ? element->tb : element->key);
}

bool hust_type_valid(int letter)
{
    return letter == HUST_TYPE_KV || letter == HUST_TYPE_HASH || letter == HUST_TYPE_SET ||
           letter == HUST_TYPE_ZSET;
}

static bool tb_byte_valid(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == ':' || c == '.' || c == '-';
}

bool hust_tb_valid(hust_slice_t tb)
{
    if (tb.len == 0 || tb.len > HUST_TB_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < tb.len; i++) {
        if (!tb_byte_valid(tb.data[i])) {
            return false;
        }
    }
    return true;
}

bool hust_element_valid(const hust_element_t *element)
{
    if (!hust_type_valid(element->type)) {
        return false;
    }
    if (element->type == HUST_TYPE_KV ? element->tb.len != 0 : !hust_tb_valid(element->tb)) {
        return false;
    }
    return element->key.len >= 1 && element->key.len <= HUST_KEY_BYTES_MAX;
}
