/*
 * without-handles.c - runs a program to which file handles are refused
 *
 *     without-handles PROGRAM [ARG...]
 *
 * As they are to every ordinary user.  Root loses what allows them, for good:
 * CAP_DAC_READ_SEARCH, and CAP_SYS_ADMIN, by which newer kernels allow some.
 * 125: it cannot be had.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HANDLE_BYTES = 128 };

static void drop(struct __user_cap_data_struct data[2], int capability)
{
    unsigned bit = 1u << capability % 32;

    data[capability / 32].effective &= ~bit;
    data[capability / 32].permitted &= ~bit;
    data[capability / 32].inheritable &= ~bit;
    /* What may not be dropped is not there: not root's. */
    (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static int drop_both(void)
{
    struct __user_cap_header_struct header = {
        .version = _LINUX_CAPABILITY_VERSION_3,
    };
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) != 0)
        return -1;
    drop(data, CAP_DAC_READ_SEARCH);
    drop(data, CAP_SYS_ADMIN);
    return (int)syscall(SYS_capset, &header, data);
}

static int are_refused(const char *path)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + HANDLE_BYTES];
    } room = { .handle.handle_bytes = HANDLE_BYTES };
    int mount_id, dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (dir_fd < 0 ||
        name_to_handle_at(dir_fd, "", &room.handle, &mount_id,
                          AT_EMPTY_PATH) != 0)
        return 1; /* none to be refused */
    fd = open_by_handle_at(dir_fd, &room.handle, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    close(dir_fd);
    return fd < 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || drop_both() != 0 || !are_refused("/tmp")) {
        fprintf(stderr, "vnotify: without-handles: %s\n",
                argc < 2 ? "no program" : "they are not refused");
        return 125;
    }
    execv(argv[1], argv + 1);
    fprintf(stderr, "vnotify: without-handles: %s: %s\n", argv[1],
            strerror(errno));
    return 125;
}
