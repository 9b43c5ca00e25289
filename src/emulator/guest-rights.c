/*
 * guest-rights.c - a thread of ours with the guest's rights to files, a while
 *
 * setfsuid() from 0 to another user clears the capabilities over files and
 * setfsuid() back to 0 restores them.  A guest with fsuid 0 that has dropped
 * them itself is followed with capset().
 *
 * When a guest's rights are ours: of what decides about files, its user
 * namespace (if it was not seen before: guest-home.h), its ids and its
 * capabilities are quickly looked at; its other groups are not, but nothing
 * changes these but setgroups, which is trapped (calls.h) and ends all trust.
 * Whoever has neither root's user nor any capability cannot come to other rights
 * at all without a user namespace: there is no_new_privs then, which filter_load
 * sets.
 */
#include "emulator/guest-rights.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdatomic.h>
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

enum following {
    LOOK_ALWAYS,
    CANNOT_CHANGE, /* but in a user namespace */
    ARE_SEEN,      /* and setgroups is told */
};

static enum following following; /* read-only after guest_rights_follow */
static _Atomic bool changed;     /* R1 */

int guest_rights_init(void)
{
    guest_credentials_fini(&ours);
    following = LOOK_ALWAYS;
    /* relaxed: before any other thread */
    atomic_store_explicit(&changed, false, memory_order_relaxed);
    return guest_credentials_get(getpid(), &ours);
}

void guest_rights_fini(void)
{
    guest_credentials_fini(&ours);
}

bool guest_rights_see_all(void)
{
    return ours.cap_effective >> CAP_SYS_PTRACE & 1;
}

/* All of a kind are the same, as they are where nobody has changed any. */
static bool have_one_id(void)
{
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return false;
    return uids[0] == ours.fsuid && uids[1] == ours.fsuid &&
           uids[2] == ours.fsuid && gids[0] == ours.fsgid &&
           gids[1] == ours.fsgid && gids[2] == ours.fsgid;
}

/* Has the thread our ids and capabilities, as far as files are concerned? */
static bool has_ours(pid_t tid)
{
    struct guest_credentials its;

    return guest_task_ids(tid, &its) == 0 && its.fsuid == ours.fsuid &&
           its.fsgid == ours.fsgid &&
           ((its.cap_effective ^ ours.cap_effective) & FILE_CAPS) == 0;
}

bool guest_rights_follow(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[CAPS_WORDS];

    if (have_one_id() && ours.fsuid != 0 &&
        syscall(SYS_capget, &header, data) == 0 &&
        (data[0].permitted | data[0].inheritable | data[1].permitted |
         data[1].inheritable) == 0)
        following = CANNOT_CHANGE;
    else if (has_ours(getpid())) /* this Linux can tell */
        following = ARE_SEEN;
    guest_task_forget();
    return following == ARE_SEEN;
}

bool guest_rights_are_followed(void)
{
    return following != LOOK_ALWAYS;
}

void guest_rights_changed(void)
{
    /* R1: release; the guest is answered after it, and its next call comes
       after the answer.  Pairs with guest_rights_are_ours. */
    atomic_store_explicit(&changed, true, memory_order_release);
}

bool guest_rights_are_ours(pid_t tid, bool at_home)
{
    if (following == LOOK_ALWAYS ||
        atomic_load_explicit(&changed, memory_order_acquire) || /* R1 */
        !(at_home || guest_task_in_our_user_namespace(tid)))
        return false;
    return following == CANNOT_CHANGE || has_ours(tid);
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
