/*
 * A file is created and written to at once, many times over, so that the write
 * falls into each moment of the engine's getting hold of the new file: the
 * listing, the look, the knote, the link to its directory.  None may be missed.
 */
#include "guest.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum {
    FILES = 4000,
    PAUSE_US_MAX = 250, /* as long as that takes */
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void create_and_write(const char *path, int pause_us)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    int64_t until = now_us() + pause_us;

    CHECK(fd >= 0, "expected to create %s: %m", path);
    while (now_us() < until)
        continue;
    CHECK(write(fd, "text", 4) == 4, "expected to write to %s: %m", path);
    close(fd);
}

static void each_write_is_told(void)
{
    static bool written[FILES];
    struct guest_queue q;
    struct guest_event event;
    int left = FILES, number, wd;
    char name[32];

    guest_mkdir("fresh");
    guest_open(&q);
    q.patience_ms = GUEST_DEADLINE_MS; /* with --strict, too: none is lost */
    wd = guest_watch(&q, "fresh", IN_CREATE | IN_MODIFY);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "fresh/%d", i);
        create_and_write(name, i % 2 == 0 ? 0 : i / 2 % PAUSE_US_MAX);
    }
    while (left > 0) {
        if (!guest_next(&q, &event))
            break;
        if (event.mask != IN_MODIFY)
            continue;
        CHECK(sscanf(event.name, "%d", &number) == 1 && number >= 0 &&
                  number < FILES,
              "expected MODIFY of one of the files, seen of '%s'", event.name);
        left -= !written[number];
        written[number] = true;
    }
    for (number = 0; number < FILES; number++)
        CHECK(written[number], "expected MODIFY of each, %d miss, one is '%d'",
              left, number);
    /* A write may be told twice, as it was seen and as it was noted: what is
       left is dropped. */
    CHECK(inotify_rm_watch(q.fd, wd) == 0, "expected to end the watch: %m");
    do
        CHECK(guest_next(&q, &event), "expected IGNORED, seen nothing");
    while (event.mask != IN_IGNORED);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(each_write_is_told),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
