/*
 * A rename over a watched object: what its watch, the mover's watch and the
 * directory's watch are told.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS (IN_CREATE | IN_DELETE | IN_MOVE)
#define SELF (IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static void a_file_over_a_file(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/mover");
    guest_touch("d/victim");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int mover = guest_watch(&q, "d/mover", SELF);
    int victim = guest_watch(&q, "d/victim", SELF);
    guest_rename("d/mover", "d/victim");
    guest_expect_all(&q,
                     (struct guest_want[]){{d, IN_MOVED_FROM, "mover"},
                                           {d, IN_MOVED_TO, "victim"},
                                           {victim, IN_ATTRIB, NULL},
                                           {mover, IN_MOVE_SELF, NULL},
                                           {victim, IN_DELETE_SELF, NULL},
                                           {victim, IN_IGNORED, NULL}},
                     6);
    guest_expect_quiet_in(&q, d, "d");
    guest_chmod("d/victim", 0600);
    guest_expect(&q, mover, IN_ATTRIB, NULL);
    guest_close(&q);
}

static void a_file_over_one_of_two_links(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/mover");
    guest_touch("d/victim");
    CHECK(link("d/victim", "d/link") == 0, "link: %s", strerror(errno));
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int victim = guest_watch(&q, "d/victim", SELF);
    guest_rename("d/mover", "d/victim");
    guest_expect_all(&q,
                     (struct guest_want[]){{d, IN_MOVED_FROM, "mover"},
                                           {d, IN_MOVED_TO, "victim"},
                                           {victim, IN_ATTRIB, NULL}},
                     3);
    guest_expect_quiet_in(&q, d, "d");
    guest_close(&q);
}

static void a_file_over_an_open_file(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/mover");
    guest_touch("d/victim");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int victim = guest_watch(&q, "d/victim", SELF);
    int file = open("d/victim", O_RDONLY | O_CLOEXEC);
    guest_rename("d/mover", "d/victim");
    guest_expect_all(&q,
                     (struct guest_want[]){{d, IN_MOVED_FROM, "mover"},
                                           {d, IN_MOVED_TO, "victim"},
                                           {victim, IN_ATTRIB, NULL}},
                     3);
    guest_expect_quiet_in(&q, d, "d");
    close(file);
    guest_expect(&q, victim, IN_DELETE_SELF, NULL);
    guest_expect(&q, victim, IN_IGNORED, NULL);
    guest_close(&q);
}

static void a_directory_over_an_empty_one(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_mkdir("d/mover");
    guest_mkdir("d/victim");
    guest_open(&q);
    int d = guest_watch(&q, "d", MEMBERS);
    int mover = guest_watch(&q, "d/mover", SELF | MEMBERS);
    int victim = guest_watch(&q, "d/victim", SELF | MEMBERS);
    guest_rename("d/mover", "d/victim");
    guest_expect_all(
        &q,
        (struct guest_want[]){{d, IN_MOVED_FROM | IN_ISDIR, "mover"},
                              {d, IN_MOVED_TO | IN_ISDIR, "victim"},
                              {victim, IN_ATTRIB | IN_ISDIR, NULL},
                              {mover, IN_MOVE_SELF, NULL},
                              {victim, IN_DELETE_SELF, NULL},
                              {victim, IN_IGNORED, NULL}},
        6);
    guest_touch("d/victim/inside");
    guest_expect(&q, mover, IN_CREATE, "inside");
    guest_expect_quiet_in(&q, mover, "d/victim");
    guest_close(&q);
}

/* The watch was on the file, so it ends with the file. */
static void a_saved_document_loses_its_watch(void)
{
    struct guest_queue q;
    guest_touch("document");
    guest_open(&q);
    int wd = guest_watch(&q, "document", SELF);
    guest_touch("temporary");
    guest_rename("temporary", "document");
    guest_expect(&q, wd, IN_ATTRIB, NULL);
    guest_expect(&q, wd, IN_DELETE_SELF, NULL);
    guest_expect(&q, wd, IN_IGNORED, NULL);
    guest_chmod("document", 0600);
    guest_expect_quiet(&q);
    guest_close(&q);
}

static void an_exchange_ends_nothing(void)
{
    struct guest_queue q;
    guest_mkdir("d");
    guest_touch("d/a");
    guest_touch("d/b");
    guest_open(&q);
    int a = guest_watch(&q, "d/a", SELF), b = guest_watch(&q, "d/b", SELF);
    CHECK(renameat2(AT_FDCWD, "d/a", AT_FDCWD, "d/b", RENAME_EXCHANGE) == 0,
          "exchange: %s", strerror(errno));
    guest_expect_all(
        &q,
        (struct guest_want[]){{a, IN_MOVE_SELF, NULL}, {b, IN_MOVE_SELF, NULL}},
        2);
    guest_expect_quiet(&q);
    guest_chmod("d/a", 0600);
    guest_expect(&q, b, IN_ATTRIB, NULL);
    guest_chmod("d/b", 0600);
    guest_expect(&q, a, IN_ATTRIB, NULL);
    guest_close(&q);
}

int main(int argc, char **argv)
{
    static const struct guest_case cases[] = {
        GUEST_CASE(a_file_over_a_file),
        GUEST_CASE(a_file_over_one_of_two_links),
        GUEST_CASE(a_file_over_an_open_file),
        GUEST_CASE(a_directory_over_an_empty_one),
        GUEST_CASE(a_saved_document_loses_its_watch),
        GUEST_CASE(an_exchange_ends_nothing),
    };
    return guest_main(argc, argv, cases, GUEST_COUNT(cases));
}
