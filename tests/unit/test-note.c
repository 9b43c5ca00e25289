/*
 * note_wanted, note_hints, note_self_events: what a raw note may mean.
 */
#include "pipeline/note.h"

#include "unit.h"

#include "port/kq.h"
#include "vnotify.h"

static void test_note_asks_for_frequent_notes_only_on_request(void **state)
{
    const uint32_t frequent =
        NOTE_OPEN | NOTE_CLOSE | NOTE_CLOSE_WRITE | NOTE_READ;
    const uint32_t host = frequent | NOTE_WRITE | NOTE_DELETE;

    (void)state;
    assert_int_equal(note_wanted(host, false, VN_IN_MODIFY),
                     NOTE_WRITE | NOTE_DELETE);
    assert_int_equal(note_wanted(host, false, VN_IN_OPEN),
                     NOTE_WRITE | NOTE_DELETE | NOTE_OPEN);
    assert_int_equal(note_wanted(host, false, VN_IN_ACCESS),
                     NOTE_WRITE | NOTE_DELETE | NOTE_READ);
    assert_int_equal(note_wanted(host, false, VN_IN_CLOSE_WRITE),
                     NOTE_WRITE | NOTE_DELETE | NOTE_CLOSE_WRITE);
    assert_int_equal(note_wanted(host, false, VN_IN_CLOSE_NOWRITE),
                     NOTE_WRITE | NOTE_DELETE | NOTE_CLOSE);
    /* What the host lacks is not asked for. */
    assert_int_equal(note_wanted(NOTE_WRITE, false, VN_IN_ALL_EVENTS),
                     NOTE_WRITE);
}

static void test_note_never_asks_a_directory_for_our_own_reads(void **state)
{
    uint32_t host = NOTE_OPEN | NOTE_CLOSE | NOTE_READ | NOTE_CLOSE_WRITE |
                    NOTE_WRITE;

    (void)state;
    assert_int_equal(note_wanted(host, true,
                                 VN_IN_ALL_EVENTS | NOTE_WANT_SELF),
                     NOTE_WRITE | NOTE_OPEN | NOTE_CLOSE);
    assert_int_equal(note_wanted(host, true, VN_IN_CREATE | NOTE_WANT_SELF),
                     NOTE_WRITE);
}

static void test_note_of_a_child_directory_is_not_of_its_entries(void **state)
{
    uint32_t host = NOTE_WRITE | NOTE_EXTEND | NOTE_LINK | NOTE_ATTRIB |
                    NOTE_OPEN;

    (void)state;
    assert_int_equal(note_wanted(host, true, VN_IN_ATTRIB), NOTE_ATTRIB);
    assert_int_equal(note_wanted(host, true, VN_IN_ATTRIB | VN_IN_OPEN),
                     NOTE_ATTRIB | NOTE_OPEN);
    assert_int_equal(note_wanted(host, true, NOTE_WANT_SELF),
                     NOTE_WRITE | NOTE_EXTEND | NOTE_LINK);
}

static void test_note_of_a_directory_hints_at_its_entries(void **state)
{
    static const uint32_t entries[] = {
        NOTE_WRITE, NOTE_EXTEND, NOTE_LINK, NOTE_DELETE, NOTE_ATTRIB,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        assert_true(note_hints(entries[i], true) & HINT_LIST);
    assert_int_equal(note_hints(NOTE_RENAME, true), HINT_RENAME);
    assert_int_equal(note_hints(NOTE_REVOKE, true), HINT_REVOKE);
    assert_true(note_hints(NOTE_DELETE, true) & HINT_LINKS);
    assert_false(note_hints(NOTE_OPEN | NOTE_CLOSE | NOTE_READ, true) &
                 HINT_LIST);
}

static void test_note_of_a_file_never_asks_for_a_listing(void **state)
{
    (void)state;
    for (uint32_t bit = 1; bit <= NOTE_READ; bit <<= 1) {
        assert_false(note_hints(bit, false) & HINT_LIST);
        assert_true(note_hints(bit, false) != 0);
    }
    assert_int_equal(note_hints(NOTE_WRITE | NOTE_ATTRIB, false),
                     HINT_MODIFY | HINT_ATTRIB);
}

static void test_note_self_events_of_hints(void **state)
{
    static const struct {
        uint32_t hint, file, dir;
    } rows[] = {
        { HINT_LIST, 0, 0 },
        { HINT_MODIFY, VN_IN_MODIFY, VN_IN_MODIFY },
        { HINT_ATTRIB, VN_IN_ATTRIB, VN_IN_ATTRIB },
        { HINT_LINKS, VN_IN_ATTRIB, 0 },
        { HINT_RENAME, VN_IN_MOVE_SELF, VN_IN_MOVE_SELF },
        { HINT_OPEN, VN_IN_OPEN, VN_IN_OPEN },
        { HINT_ACCESS, VN_IN_ACCESS, VN_IN_ACCESS },
        { HINT_CLOSE_WRITE, VN_IN_CLOSE_WRITE, 0 },
        { HINT_CLOSE, VN_IN_CLOSE_NOWRITE, VN_IN_CLOSE_NOWRITE },
        { HINT_RETRY, 0, 0 },
        { HINT_KEEP, 0, 0 },
        { HINT_ALARM, 0, 0 },
        { HINT_RELEASE, 0, 0 },
        { HINT_MODIFY | HINT_CLOSE_WRITE, VN_IN_MODIFY | VN_IN_CLOSE_WRITE,
          VN_IN_MODIFY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(note_self_events(rows[i].hint, false), rows[i].file);
        assert_int_equal(note_self_events(rows[i].hint, true), rows[i].dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note_asks_for_frequent_notes_only_on_request),
        cmocka_unit_test(test_note_never_asks_a_directory_for_our_own_reads),
        cmocka_unit_test(test_note_of_a_child_directory_is_not_of_its_entries),
        cmocka_unit_test(test_note_of_a_directory_hints_at_its_entries),
        cmocka_unit_test(test_note_of_a_file_never_asks_for_a_listing),
        cmocka_unit_test(test_note_self_events_of_hints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
