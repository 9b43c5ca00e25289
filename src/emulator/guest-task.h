/*
 * guest-task.h - what /proc says about a thread of the guest
 *
 * A notification names a thread (tid), and a thread may have its own
 * descriptor table, working directory and credentials: /proc/TID has them.
 * Whatever is read here is believed only once the notification has been found
 * to be still valid, since a tid may be another task by then.
 *
 * Threads: any.
 * Errors:  negative errno; -EACCES or -EPERM if we may not look (guest-look.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
    GUEST_GROUPS_MAX = 65536, /* NGROUPS_MAX */
    GUEST_NAME_MAX = 16,      /* TASK_COMM_LEN */
};

/* Credentials for opening files, as /proc/TID/status shows them to us. */
struct guest_credentials {
    pid_t tgid;
    pid_t tid;
    pid_t tgid_inside; /* in the innermost pid namespace of the guest */
    pid_t tid_inside;
    uid_t fsuid;
    gid_t fsgid;
    uint64_t cap_effective; /* 0 if its user namespace is not ours */
    int group_count;
    gid_t *groups; /* guest_credentials_fini frees them */
};

int guest_credentials_get(pid_t tid, struct guest_credentials *);
void guest_credentials_fini(struct guest_credentials *);

bool guest_task_in_our_user_namespace(pid_t tid);

/*
 * Only what may be had quickly: fsuid, fsgid, cap_effective, which is of its own
 * user namespace.  -errno, also where Linux, before 6.13, has no quick way.
 */
int guest_task_ids(pid_t tid, struct guest_credentials *);

/* 1 or 0; -errno. */
int guest_task_fd_in_use(pid_t tid, int guest_fd);

/* How many descriptors it has; -errno. */
int guest_task_fd_count(pid_t tid);

/*
 * The inode behind a descriptor: 0, or -EBADF if there is none or it was
 * opened with O_PATH.
 */
int guest_task_fd_stat(pid_t tid, int guest_fd, struct stat *);

/*
 * The same of what is a pipe, most likely, in a third of the time.  A copy of it
 * is closed, which some file systems (NFS, FUSE) take for a call to write back.
 */
int guest_task_pipe_stat(pid_t tid, int guest_fd, struct stat *);

/*
 * A copy of the guest's descriptor, for the same open file: its flags are
 * shared.  -errno.
 */
int guest_task_fd_copy(pid_t tid, int guest_fd);

/* Whether a read that finds nothing shall wait (no O_NONBLOCK): 1 or 0. */
int guest_task_fd_blocks(pid_t tid, int guest_fd);

/*
 * The calling thread keeps a pidfd of the thread that it asked about last.  Who
 * starts with one (its own process's, say; taken over) holds as many descriptors
 * before the first question as after the last.
 */
void guest_task_keep(pid_t tid, int pidfd);
void guest_task_forget(void);

/*
 * A mark on the thread that the calling thread asked about last: true if this is
 * that one, and it was marked.  guest_task_mark marks it, if it is.
 */
bool guest_task_is_marked(pid_t tid);
void guest_task_mark(pid_t tid);
bool guest_task_can_mark(void); /* on this Linux */

/* An O_PATH descriptor of /proc/TID/`link` ("cwd", "root"). */
int guest_task_open(pid_t tid, const char *link);

/* Which directory that is, without opening it. */
int guest_task_place(pid_t tid, const char *link, struct statx *);

/* The name of its program, cut; "?" if it is gone. */
void guest_task_name(pid_t tid, char name[GUEST_NAME_MAX]);

/* The state letter of /proc/PID/stat; 0 if there is no such process. */
char guest_task_state(pid_t pid);

/* Its parent; 0 if there is no such process. */
pid_t guest_task_parent(pid_t pid);
