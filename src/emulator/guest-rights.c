/*
 * guest-rights.c - a thread of ours with the guest's rights to files, a while
 *
 * setfsuid() from 0 to another user clears the capabilities over files and
 * setfsuid() back to 0 restores them.  A guest with fsuid 0 that has dropped
 * them itself is followed with capset().
 */
#include "emulator/guest-rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CAPS_WORDS = 2,
};

#define FILE_CAPS \
    ((UINT64_C(1) << CAP_DAC_OVERRIDE) | (UINT64_C(1) << CAP_DAC_READ_SEARCH))

static struct guest_credentials ours; /* read-only after init */

int guest_rights_init(void)
{
    guest_credentials_fini(&ours);
    return guest_credentials_get(getpid(), &ours);
}

void guest_rights_fini(void)
{
    guest_credentials_fini(&ours);
}

/* The effective file capabilities of this thread become `want`. */
static int set_file_caps(uint64_t want)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[CAPS_WORDS];
    const uint32_t mask = (uint32_t)FILE_CAPS; /* both below 32 */

    if (syscall(SYS_capget, &header, data) != 0)
        return -errno;
    data[0].effective =
        (data[0].effective & ~mask) |
        ((uint32_t)want & mask & data[0].permitted);
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

static bool same_ids(const struct guest_credentials *guest)
{
    return guest->fsuid == ours.fsuid && guest->fsgid == ours.fsgid &&
           guest->group_count == ours.group_count &&
           (!guest->group_count ||
            !memcmp(guest->groups, ours.groups,
                    (size_t)guest->group_count * sizeof(gid_t)));
}

static void set_ids(const struct guest_credentials *to)
{
    syscall(SYS_setgroups, to->group_count, to->groups);
    syscall(SYS_setfsgid, to->fsgid);
    syscall(SYS_setfsuid, to->fsuid);
}

/* setfsuid reports nothing; asking for an impossible one tells the present. */
static bool have_ids(const struct guest_credentials *wanted)
{
    return (uid_t)syscall(SYS_setfsuid, -1) == wanted->fsuid &&
           (gid_t)syscall(SYS_setfsgid, -1) == wanted->fsgid;
}

int guest_rights_assume(struct guest_rights *rights,
                        const struct guest_credentials *guest)
{
    uint64_t caps = guest->cap_effective & ours.cap_effective & FILE_CAPS;
    bool ids = same_ids(guest);

    rights->assumed = false;
    if (ids && caps == (ours.cap_effective & FILE_CAPS))
        return 0;
    rights->assumed = true;
    if (!ids) {
        set_ids(guest);
        if (!have_ids(guest)) {
            guest_rights_drop(rights);
            return -EACCES;
        }
    }
    if (set_file_caps(caps) != 0) {
        guest_rights_drop(rights);
        return -EACCES;
    }
    return 0;
}

void guest_rights_drop(struct guest_rights *rights)
{
    if (!rights->assumed)
        return;
    rights->assumed = false;
    set_ids(&ours);
    /* A thread that could keep a guest's rights must serve no other guest. */
    if (!have_ids(&ours) || set_file_caps(ours.cap_effective) != 0)
        abort();
}
