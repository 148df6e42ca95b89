/*
 * An element: the unit that is stored, versioned and replicated. A KV pair, a field of a hash, a
 * member of a set or of a sorted set.
 */
#ifndef HUST_ELEMENT_H
#define HUST_ELEMENT_H

#include "core/slice.h"

enum {
    HUST_KEY_BYTES_MAX = 65535,
    HUST_TB_BYTES_MAX = 64,
    HUST_BUCKET_COUNT = 1024,
};

/* The letters are part of the stored and wire formats, and of listings ("ty":"H"). */
typedef enum {
    HUST_TYPE_KV = 'K',
    HUST_TYPE_HASH = 'H',
    HUST_TYPE_SET = 'S',
    HUST_TYPE_ZSET = 'Z',
} hust_type_t;

typedef struct {
    hust_type_t type;
    hust_slice_t tb;  /* empty for KV, else 1..64 bytes */
    hust_slice_t key; /* 1..65,535 bytes: key, field or member */
} hust_element_t;

/* h = h*31 + byte over all bytes, modulo 1024: the bucket of a byte string. */
unsigned hust_bucket(hust_slice_t bytes);

/* Where an element lives: by its key; a sorted set lives whole in the bucket of its tb. */
unsigned hust_element_bucket(const hust_element_t *element);

/* True for the four letters of hust_type_t. */
bool hust_type_valid(int letter);

/* True if `tb` is 1..64 of 0-9 a-z A-Z _ : . - */
bool hust_tb_valid(hust_slice_t tb);

/* True if type, tb and key fit together: KV without tb, the others with a valid one, key in range.
 */
bool hust_element_valid(const hust_element_t *element);

#endif /* HUST_ELEMENT_H */
