#include "core/error.h"

#include <stddef.h>

const char *hust_error_text(hust_error_t error)
{
    static const char *const texts[] = {
#define HUST_ERROR_TEXT(name, text) text,
        HUST_ERROR_MAP(HUST_ERROR_TEXT)
#undef HUST_ERROR_TEXT
    };
    if ((size_t)error >= sizeof(texts) / sizeof(texts[0])) {
        return "unknown error";
    }
    return texts[error];
}
