#include "core/params.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { U64_DIGITS_MAX = 20 };

bool hust_parse_u64(hust_slice_t text, uint64_t *out)
{
    assert(out != NULL);
    if (text.len == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool hust_parse_i64(hust_slice_t text, int64_t *out)
{
    assert(out != NULL);
    bool negative = text.len > 0 && text.data[0] == '-';
    if (negative) {
        text = hust_slice_of(text.data + 1, text.len - 1);
    }
    uint64_t magnitude;
    if (!hust_parse_u64(text, &magnitude) || magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    /* Negated as unsigned: the magnitude of INT64_MIN has no signed counterpart. */
    *out = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* Decimal digits and a NUL; returns their number without the NUL. */
static size_t format_digits(uint64_t value, char *out)
{
    char digits[U64_DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        assert(at > 0);
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    size_t len = sizeof(digits) - at;
    assert(len >= 1 && (len == 1 || digits[at] != '0'));
    memcpy(out, digits + at, len);
    out[len] = '\0';
    return len;
}

size_t hust_format_u64(uint64_t value, char out[24])
{
    return format_digits(value, out);
}

size_t hust_format_i64(int64_t value, char out[24])
{
    if (value >= 0) {
        return format_digits((uint64_t)value, out);
    }
    out[0] = '-';
    return 1 + format_digits(0 - (uint64_t)value, out + 1);
}

static size_t skip_digits(hust_slice_t text, size_t at)
{
    while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9') {
        at++;
    }
    return at;
}

/* [-]digits[.digits][e[+-]digits]: what the C library takes for a number is far more. */
static bool is_decimal_fraction(hust_slice_t text)
{
    size_t at = text.len > 0 && text.data[0] == '-' ? 1 : 0;
    size_t end = skip_digits(text, at);
    bool good = end > at;
    if (good && end < text.len && text.data[end] == '.') {
        at = end + 1;
        end = skip_digits(text, at);
        good = end > at;
    }
    if (good && end < text.len && (text.data[end] | 0x20) == 'e') {
        at = end + 1;
        at += at < text.len && (text.data[at] == '+' || text.data[at] == '-') ? 1 : 0;
        end = skip_digits(text, at);
        good = end > at;
    }
    assert(end <= text.len);
    return good && end == text.len;
}

bool hust_parse_decimal(hust_slice_t text, long double *out)
{
    char copy[HUST_DECIMAL_CHARS_MAX + 1];
    char *end;
    assert(out != NULL);
    if (text.len > HUST_DECIMAL_CHARS_MAX || !is_decimal_fraction(text)) {
        return false;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtold(copy, &end);
    assert(end > copy);
    return *end == '\0' && fabsl(*out) <= (long double)DBL_MAX;
}

size_t hust_format_decimal(long double value, char out[HUST_DECIMAL_CHARS_MAX])
{
    assert(!isnan(value));
    if (fabsl(value) > (long double)DBL_MAX) {
        return 0;
    }
    /* No negative zero. */
    int len = snprintf(out, HUST_DECIMAL_CHARS_MAX, "%.17Lg", value == 0 ? 0.0L : value);
    assert(len > 0 && len < HUST_DECIMAL_CHARS_MAX);
    return (size_t)len;
}
