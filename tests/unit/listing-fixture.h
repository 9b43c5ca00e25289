/*
 * listing-fixture.h - snapshots made of rows instead of directories
 */
#pragma once

#include "unit.h"

#include <dirent.h>
#include <string.h>

#include "pipeline/delta.h"
#include "pipeline/fault.h"
#include "pipeline/packed.h"
#include "pipeline/snapshot.h"

struct row {
    const char *name;
    uint64_t ino;
    uint8_t type; /* 0: DT_REG */
};

/* The arenas of the test; arenas_init them in the group's set-up. */
static struct arenas arenas;

static inline int arenas_setup(void **state)
{
    (void)state;
    return arenas_init(&arenas);
}

static inline int arenas_teardown(void **state)
{
    (void)state;
    arenas_fini(&arenas);
    return 0;
}

static inline struct snapshot *make_snapshot(uint64_t id,
                                             const struct row *rows,
                                             size_t count)
{
    struct snapshot_builder builder = { .count = (uint32_t)count };
    struct fault no_fault = { .any = false };
    struct snapshot *snapshot;

    for (size_t i = 0; i < count; i++)
        builder.used += PACKED_HEADER_MAX + strlen(rows[i].name);
    builder.bytes = malloc(builder.used + 1);
    builder.used = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = builder.bytes + builder.used;
        const struct listing_entry listed = {
            .ino = rows[i].ino,
            .name = rows[i].name,
            .name_len = (uint16_t)strlen(rows[i].name),
            .type = rows[i].type == 0 ? DT_REG : rows[i].type,
        };

        packed_write(at, &listed, builder.base);
        memcpy(at + packed_name_offset(at), listed.name, listed.name_len);
        builder.used += packed_bytes(at);
    }
    snapshot = snapshot_create(&arenas, &builder, &no_fault, id);
    free(builder.bytes);
    assert_non_null(snapshot);
    return snapshot;
}
