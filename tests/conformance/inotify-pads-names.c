/*
 * A name is the entry's raw bytes, its NUL and zeros up to a multiple of 16.
 * (guest_parse checks the padding of every event of every program.)
 */
#include "guest.h"

#include <string.h>

static void every_length_from_1_to_255(void)
{
    struct guest_queue q;
    char name[256], path[300];
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE);
    for (int length = 1; length <= 255; length++) {
        memset(name, 'a' + length % 26, (size_t)length);
        name[length] = '\0';
        snprintf(path, sizeof path, "d/%s", name);
        guest_touch(path);
        struct guest_event event = guest_expect(&q, wd, IN_CREATE, name);
        uint32_t len = (uint32_t)(length + 1 + 15) / 16 * 16;
        CHECK(event.len == len, "a name of %d bytes: expected len %u, seen %u",
              length, len, event.len);
    }
    guest_close(&q);
}

static void any_byte_but_slash_and_nul(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE | IN_DELETE);
    for (int byte = 1; byte < 256; byte++) {
        char name[8] = {'x', (char)byte, 'y'}, path[16];
        if (byte == '/')
            continue;
        snprintf(path, sizeof path, "d/%s", name);
        guest_touch(path);
        guest_expect(&q, wd, IN_CREATE, name);
        guest_unlink(path);
        guest_expect(&q, wd, IN_DELETE, name);
    }
    guest_close(&q);
}

/* Composed and decomposed, upper and lower case: all different names. */
static void names_are_not_normalised(void)
{
    static const char *const names[] = {
        "\xc3\xa9", "e\xcc\x81", "File",   "file", " file",
        "file ",    ".file",     "..file", "-",    "\n"};
    struct guest_queue q;
    char path[32];
    guest_mkdir("d");
    guest_open(&q);
    int wd = guest_watch(&q, "d", IN_CREATE);
    for (size_t i = 0; i < GUEST_COUNT(names); i++) {
        snprintf(path, sizeof path, "d/%s", names[i]);
        guest_touch(path);
        guest_expect(&q, wd, IN_CREATE, names[i]);
    }
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(every_length_from_1_to_255),
        GUEST_CASE(any_byte_but_slash_and_nul),
        GUEST_CASE(names_are_not_normalised),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
