/*
 * packed.h - one entry of a listing, in bytes
 *
 * Type and width, length of the name, inode, name.  The inode is there as its
 * difference from a base, in the fewest of 1, 2, 4 or 8 bytes that hold it: a
 * file system mostly numbers what is in a directory near it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "port/listing.h"

enum {
    PACKED_TYPE = 0x0f,
    PACKED_WIDTH_SHIFT = 4, /* 2 bits: the width's binary logarithm */
    PACKED_STALE = 0x80, /* a builder's mark */
    PACKED_HEADER = 2,      /* before the inode */
    PACKED_HEADER_MAX = PACKED_HEADER + 8,
};

static inline size_t packed_name_offset(const uint8_t *at)
{
    return PACKED_HEADER + ((size_t)1 << (at[0] >> PACKED_WIDTH_SHIFT & 3));
}

static inline size_t packed_bytes(const uint8_t *at)
{
    return packed_name_offset(at) + at[1];
}

static inline int64_t packed_difference(const uint8_t *at)
{
    int16_t two;
    int32_t four;
    int64_t eight;

    switch (at[0] >> PACKED_WIDTH_SHIFT & 3) {
    case 0:
        return (int8_t)at[PACKED_HEADER];
    case 1:
        memcpy(&two, at + PACKED_HEADER, sizeof(two));
        return two;
    case 2:
        memcpy(&four, at + PACKED_HEADER, sizeof(four));
        return four;
    default:
        memcpy(&eight, at + PACKED_HEADER, sizeof(eight));
        return eight;
    }
}

/* Writes all but the name; at least PACKED_HEADER_MAX bytes are there. */
static inline void packed_write(uint8_t *at,
                                const struct listing_entry *listed,
                                uint64_t base)
{
    const int64_t eight = (int64_t)(listed->ino - base);
    const int32_t four = (int32_t)eight;
    const int16_t two = (int16_t)eight;
    unsigned width = 0;

    if (eight != four) {
        width = 3;
        memcpy(at + PACKED_HEADER, &eight, sizeof(eight));
    } else if (four != two) {
        width = 2;
        memcpy(at + PACKED_HEADER, &four, sizeof(four));
    } else if (two != (int8_t)two) {
        width = 1;
        memcpy(at + PACKED_HEADER, &two, sizeof(two));
    } else {
        at[PACKED_HEADER] = (uint8_t)two;
    }
    at[0] = (uint8_t)((listed->type & PACKED_TYPE) |
                      width << PACKED_WIDTH_SHIFT);
    at[1] = (uint8_t)listed->name_len;
}

static inline uint8_t packed_type(const uint8_t *at)
{
    return at[0] & PACKED_TYPE;
}

static inline uint8_t packed_name_len(const uint8_t *at)
{
    return at[1];
}

static inline const char *packed_name(const uint8_t *at)
{
    return (const char *)at + packed_name_offset(at);
}

static inline bool packed_same_name(const uint8_t *a, const uint8_t *b)
{
    return a[1] == b[1] && memcmp(packed_name(a), packed_name(b), a[1]) == 0;
}

/* Is this what packed_write makes of it, and its name? */
static inline bool packed_is(const uint8_t *at,
                             const struct listing_entry *listed, uint64_t base)
{
    return at[1] == listed->name_len &&
           packed_type(at) == (listed->type & PACKED_TYPE) &&
           base + (uint64_t)packed_difference(at) == listed->ino &&
           memcmp(packed_name(at), listed->name, at[1]) == 0;
}

/* Entries of one base. */
static inline bool packed_same(const uint8_t *a, const uint8_t *b)
{
    return a[0] == b[0] && a[1] == b[1] &&
           memcmp(a, b, packed_bytes(a)) == 0;
}
