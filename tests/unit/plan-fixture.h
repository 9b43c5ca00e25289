/*
 * plan-fixture.h - rounds made of listings in short, and their plan in words
 */
#pragma once

#include "pipeline/plan.h"

#include <stdio.h>

#include "abi/linux-inotify.h"
#include "listing-fixture.h"

enum { SOURCES_MAX = 8 };

static struct plan plan;
static struct plan_source sources[SOURCES_MAX];
static struct delta *deltas[SOURCES_MAX];
static struct snapshot *nows[SOURCES_MAX];
static struct content_set contents[SOURCES_MAX];
static uint32_t source_count;
static _Atomic uint32_t last_cookie;
static char told[4096]; /* the events, in short */
static bool singles;    /* half renames are expected */

static inline int setup(void **state)
{
    (void)state;
    plan = (struct plan){ 0 };
    memset(sources, 0, sizeof(sources));
    memset(deltas, 0, sizeof(deltas));
    memset(nows, 0, sizeof(nows));
    memset(contents, 0, sizeof(contents));
    source_count = 0;
    singles = false;
    atomic_store(&last_cookie, 0);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    plan_fini(&plan);
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        arena_free(&arenas, deltas[i]);
        if (nows[i] != NULL)
            snapshot_release(&arenas, nows[i]);
        content_set_fini(&contents[i]);
    }
    return 0;
}

/* "a1 b2 D3": names with their inodes; a capital is a directory. */
static inline size_t parse(const char *text, char names[][2], struct row *rows)
{
    size_t count = 0;

    for (; *text != '\0'; text += strcspn(text, " ")) {
        text += strspn(text, " ");
        if (*text == '\0')
            break;
        names[count][0] = *text;
        names[count][1] = '\0';
        rows[count] = (struct row){
            .name = names[count],
            .ino = strtoull(text + 1, NULL, 10),
            .type = *text >= 'A' && *text <= 'Z' ? DT_DIR : DT_REG,
        };
        count++;
    }
    return count;
}

/* All that has come is old, was touched since, and may have other names. */
static inline void learn(struct delta *delta)
{
    for (uint32_t i = delta->gone; i < delta->gone + delta->come; i++)
        delta->changes[i].learned = true;
}

/* A directory source whose inode is 1000 + its index. */
static inline struct plan_source *add_dir(const char *before,
                                          const char *after)
{
    char names[2][32][2];
    struct row rows[2][32];
    size_t b = parse(before, names[0], rows[0]);
    size_t a = parse(after, names[1], rows[1]);
    struct snapshot *from = make_snapshot(1, rows[0], b);
    struct snapshot *to = make_snapshot(2, rows[1], a);
    struct plan_source *source = &sources[source_count];

    deltas[source_count] = delta_create(&arenas, from, to);
    learn(deltas[source_count]);
    *source = (struct plan_source){
        .delta = deltas[source_count],
        .now = to,
        .content = &contents[source_count],
        .wants_moves = true,
        .dev = 1,
        .ino = 1000 + source_count,
        .is_dir = true,
    };
    nows[source_count++] = to;
    snapshot_release(&arenas, from);
    return source;
}

/* A file of its own, or a directory of which nothing but itself changed. */
static inline struct plan_source *add_object(uint64_t ino, bool is_dir,
                                             uint32_t self)
{
    struct plan_source *source = &sources[source_count++];

    *source = (struct plan_source){
        .dev = 1, .ino = ino, .is_dir = is_dir, .self = self
    };
    return source;
}

static inline void tell_one(const struct planned *event, size_t *used)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } words[] = {
        { VN_IN_CREATE, "create" },       { VN_IN_DELETE, "delete" },
        { VN_IN_MOVED_FROM, "from" },     { VN_IN_MOVED_TO, "to" },
        { VN_IN_MOVE_SELF, "move-self" }, { VN_IN_DELETE_SELF, "delete-self" },
        { VN_IN_ATTRIB, "attrib" },       { VN_IN_IGNORED, "ignored" },
        { VN_IN_MODIFY, "modify" },       { VN_IN_OPEN, "open" },
        { VN_IN_CLOSE_WRITE, "close-write" }, { VN_IN_UNMOUNT, "unmount" },
    };
    const char *word = "?";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if ((event->mask & ~(uint32_t)VN_IN_ISDIR) == words[i].bit)
            word = words[i].name;
    *used += (size_t)snprintf(
        told + *used, sizeof(told) - *used, "%s%u %s%s%s", *used ? ", " : "",
        event->source, word, (event->mask & VN_IN_ISDIR) != 0 ? "/" : "",
        event->name == NULL ? "" : " ");
    if (event->name != NULL)
        *used += (size_t)snprintf(told + *used, sizeof(told) - *used, "%.*s",
                                  (int)event->name_len, event->name);
}

/* Pairs and orders; `told` says what came out. */
static inline int run(void)
{
    int waits = plan_pair(&plan, sources, source_count);
    size_t used = 0;

    assert_true(waits >= 0);
    assert_int_equal(plan_order(&plan, sources, source_count, &last_cookie),
                     0);
    told[0] = '\0';
    for (size_t i = 0; i < plan.count; i++) {
        const struct planned *event = &plan.events[i];

        tell_one(event, &used);
        assert_int_equal(event->cookie != 0,
                         (event->mask & (uint32_t)ABI_MOVES) != 0);
        /* Two halves side by side are one rename's. */
        if (!singles && (event->mask & VN_IN_MOVED_TO) != 0) {
            assert_true(i > 0);
            assert_int_equal(plan.events[i - 1].mask & (uint32_t)ABI_MOVES,
                             VN_IN_MOVED_FROM);
            assert_int_equal(plan.events[i - 1].cookie, event->cookie);
        }
    }
    return waits;
}

/* Something happened in a child of this directory. */
static inline void add_content(uint32_t source, uint64_t ino, uint32_t bits)
{
    struct content_item *item = content_item_create(ino, bits, false, 1);

    assert_non_null(item);
    assert_true(content_set_merge(&contents[source], item));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
