/*
 * pack_event, pack_bytes, pack_merges: the guest's bytes of one event.
 */
#include "abi/pack.h"

#include "unit.h"

#include <string.h>

static union {
    struct vnotify_event event;
    char bytes[PACK_BYTES_MAX + 1];
} a, b;

static void pack(void *into, int wd, uint32_t mask, uint32_t cookie,
                 const char *name)
{
    pack_event(into, wd, mask, cookie, name, name == NULL ? 0 : strlen(name));
}

static void test_pack_rounds_a_name_and_its_nul_up_to_16(void **state)
{
    static const struct {
        size_t name, len;
    } rows[] = {
        { 0, 0 },     { 1, 16 },    { 15, 16 },   { 16, 32 },  { 17, 32 },
        { 31, 32 },   { 32, 48 },   { 239, 240 }, { 240, 256 }, { 254, 256 },
        { 255, 256 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(pack_bytes(rows[i].name), 16 + rows[i].len);
    assert_int_equal(pack_bytes(ABI_NAME_MAX), PACK_BYTES_MAX);
}

static void test_pack_pads_a_name_with_nuls(void **state)
{
    char name[256];

    (void)state;
    for (size_t len = 1; len <= 255; len++) {
        size_t bytes = pack_bytes(len);

        memset(name, 'n', sizeof(name));
        memset(&a, 0xff, sizeof(a));
        pack_event(&a.event, 7, VN_IN_CREATE, 9, name, len);
        assert_int_equal(a.event.wd, 7);
        assert_int_equal(a.event.mask, VN_IN_CREATE);
        assert_int_equal(a.event.cookie, 9);
        assert_int_equal(a.event.len, bytes - 16);
        assert_memory_equal(a.event.name, name, len);
        for (size_t i = 16 + len; i < bytes; i++)
            assert_int_equal(a.bytes[i], 0);
        assert_int_equal((unsigned char)a.bytes[bytes], 0xff);
    }
}

static void test_pack_writes_only_the_header_without_a_name(void **state)
{
    (void)state;
    memset(&a, 0xff, sizeof(a));
    pack_event(&a.event, 1, VN_IN_IGNORED, 0, NULL, 0);
    assert_int_equal(a.event.len, 0);
    assert_int_equal((unsigned char)a.bytes[16], 0xff);
}

static void test_pack_merges_equal_events_whatever_their_cookies(void **state)
{
    (void)state;
    pack(&a, 1, VN_IN_MOVED_TO, 5, "name");
    pack(&b, 1, VN_IN_MOVED_TO, 6, "name");
    assert_true(pack_merges(&a.event, &b.event));
    pack(&b, 2, VN_IN_MOVED_TO, 5, "name");
    assert_false(pack_merges(&a.event, &b.event));
    pack(&b, 1, VN_IN_MOVED_TO | VN_IN_ISDIR, 5, "name");
    assert_false(pack_merges(&a.event, &b.event));
    pack(&b, 1, VN_IN_MOVED_TO, 5, "nam");
    assert_false(pack_merges(&a.event, &b.event));
    pack(&b, 1, VN_IN_MOVED_TO, 5, "nameandalongtail");
    assert_false(pack_merges(&a.event, &b.event));
    pack(&b, 1, VN_IN_MOVED_TO, 5, NULL);
    assert_false(pack_merges(&a.event, &b.event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_rounds_a_name_and_its_nul_up_to_16),
        cmocka_unit_test(test_pack_pads_a_name_with_nuls),
        cmocka_unit_test(test_pack_writes_only_the_header_without_a_name),
        cmocka_unit_test(test_pack_merges_equal_events_whatever_their_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
