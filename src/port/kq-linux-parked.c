/*
 * kq-linux-parked.c - knotes of directories and files that are not open
 *
 * A kernel watch needs no descriptor, so a knote can do without one, too, if
 * the inode can be had again when it must be looked at.  A file handle
 * (name_to_handle_at) names the inode itself, whatever is renamed, and tells it
 * from a later one of the same number.  open_by_handle_at wants
 * CAP_DAC_READ_SEARCH and some descriptor of the file system
 * (kq-linux-mount.c).
 *
 * Whether it works is tried once for each file system; then it is relied on.
 * Where it does not, the inode is *kept*: a descriptor of it is held where it
 * does not count as one of the process' (kq-linux-keeper.c).  So it is not gone
 * before kq_close, as an open one is not, and a removed one has no links.
 */
#include "port/kq-linux-internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* struct file_handle ends in the bytes. */
union file_handle_room {
    struct file_handle handle;
    char room[sizeof(struct file_handle) + KQ_HANDLE_BYTES];
};

struct parked *parked_at(struct kq *kq, int32_t id)
{
    size_t index = (size_t)(id - KQ_PARKED_FIRST);
    if (index / KQ_CHUNK >= kq->nparked_chunks)
        return NULL;
    return &kq->parked_chunks[index / KQ_CHUNK][index % KQ_CHUNK];
}

static bool add_chunk(struct kq *kq)
{
    size_t n = kq->nparked_chunks;
    struct parked **chunks =
        realloc(kq->parked_chunks, (n + 1) * sizeof(*chunks));
    if (!chunks)
        return false;
    kq->parked_chunks = chunks;
    chunks[n] = calloc(KQ_CHUNK, sizeof(**chunks));
    if (!chunks[n])
        return false;
    kq->nparked_chunks = n + 1;
    for (int32_t i = KQ_CHUNK - 1; i >= 0; i--) {
        chunks[n][i].free_next = kq->parked_free;
        kq->parked_free = (int32_t)n * KQ_CHUNK + i + 1;
    }
    return true;
}

/* With the lock: may the knote be parked? */
static int check_knote(struct kq *kq, int host_fd)
{
    const struct knote *knote = knote_find(kq, host_fd);
    if (!knote || knote->node == 0)
        return -ENOENT;
    if ((knote->flags & (EV_CLEAR | EV_ONESHOT | EV_DISPATCH)) != EV_CLEAR)
        return -EINVAL; /* it would end, or sleep, without its descriptor */
    return 0;
}

/* Both with the lock: an id for the knote of host_fd, or -errno. */
static int32_t take(struct kq *kq, int host_fd)
{
    int rc = check_knote(kq, host_fd);
    if (rc != 0)
        return rc;
    if (kq->parked_free == 0 && !add_chunk(kq))
        return -ENOMEM;
    int32_t id = KQ_PARKED_FIRST + kq->parked_free - 1;
    kq->parked_free = parked_at(kq, id)->free_next;
    return id;
}

static void let_go(struct kq *kq, int32_t id)
{
    struct parked *parked = parked_at(kq, id);
    parked->knote.status = 0;
    if (parked->bytes > KQ_HANDLE_NEAR)
        free(parked->far);
    parked->bytes = 0;
    parked->free_next = kq->parked_free;
    kq->parked_free = id - KQ_PARKED_FIRST + 1;
}

/*** Handles ***/

/* A handle says all; this is in case that a file system's does not. */
static uint32_t hash_ino(uint64_t ino)
{
    return (uint32_t)(ino * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* With the lock. */
static bool keep_handle(struct parked *parked, const struct handle *handle)
{
    unsigned char *to = parked->near;
    if (handle->bytes > KQ_HANDLE_NEAR)
        to = parked->far = malloc(handle->bytes);
    if (!to)
        return false;
    memcpy(to, handle->data, handle->bytes);
    parked->ino_hash = handle->ino_hash;
    parked->is_dir = handle->is_dir;
    parked->type = handle->type;
    parked->bytes = handle->bytes;
    return true;
}

static int handle_of(int host_fd, const struct look *look,
                     struct handle *handle, int *mount_id)
{
    union file_handle_room room = {.handle.handle_bytes = KQ_HANDLE_BYTES};
    if (name_to_handle_at(host_fd, "", &room.handle, mount_id,
                          AT_EMPTY_PATH) != 0)
        return -errno; /* EOVERFLOW: it is longer */
    if (room.handle.handle_type < 0 || room.handle.handle_type > UINT8_MAX ||
        room.handle.handle_bytes == 0)
        return -EOPNOTSUPP;
    *handle = (struct handle){
        .dev = look->dev,
        .ino_hash = hash_ino(look->ino),
        .is_dir = S_ISDIR(look->mode),
        .type = (uint8_t)room.handle.handle_type,
        .bytes = (uint8_t)room.handle.handle_bytes,
    };
    memcpy(handle->data, room.handle.f_handle, handle->bytes);
    return 0;
}

static int open_handle(const struct parked_ref *ref, int flags)
{
    union file_handle_room room = {
        .handle.handle_bytes = ref->handle.bytes,
        .handle.handle_type = ref->handle.type,
    };
    struct stat st;
    memcpy(room.handle.f_handle, ref->handle.data, ref->handle.bytes);
    int host_fd = open_by_handle_at(ref->mount_fd, &room.handle, flags);
    if (host_fd < 0)
        return -errno;
    if (fstatat(host_fd, "", &st, AT_EMPTY_PATH) == 0 &&
        st.st_dev == ref->handle.dev &&
        hash_ino(st.st_ino) == ref->handle.ino_hash)
        return host_fd;
    close(host_fd);
    return -ESTALE;
}

int parked_open(const struct parked_ref *ref, int flags)
{
    flags |= (ref->handle.is_dir ? O_DIRECTORY : O_PATH) | O_CLOEXEC;
    return ref->handle.bytes == 0
               ? keeper_open(ref->keeper_tid, ref->number, flags)
               : open_handle(ref, flags);
}

static struct held held_of(const struct parked *parked)
{
    return (struct held){.keeper = parked->keeper, .number = parked->number};
}

static void borrow_kept(struct kq *kq, const struct parked *parked,
                        struct parked_ref *ref)
{
    const struct held held = held_of(parked);
    ref->handle = (struct handle){.is_dir = parked->is_dir};
    ref->keeper_tid = keepers_tid(&kq->keepers, &held);
    ref->number = held.number;
}

static void borrow_handle(struct kq *kq, const struct parked *parked,
                          struct parked_ref *ref)
{
    ref->handle = (struct handle){
        .dev = kq->mounts[parked->mount].dev,
        .ino_hash = parked->ino_hash,
        .is_dir = parked->is_dir,
        .type = parked->type,
        .bytes = parked->bytes,
    };
    memcpy(ref->handle.data,
           parked->bytes > KQ_HANDLE_NEAR ? parked->far : parked->near,
           parked->bytes);
    ref->mount_fd = kq->mounts[parked->mount].host_fd;
}

void parked_borrow(struct kq *kq, int32_t id, struct parked_ref *ref)
{
    const struct parked *parked = parked_at(kq, id);
    (parked->bytes == 0 ? borrow_kept : borrow_handle)(kq, parked, ref);
    kq->mount_borrowers++;
}

void parked_give_back(struct kq *kq)
{
    assert(kq->mount_borrowers > 0);
    kq->mount_borrowers--;
}

/*** The calls of kq.h ***/

/* With the lock, these two: the id. */
static int park_handle(struct kq *kq, int host_fd, const struct handle *handle,
                       int mount)
{
    int32_t id = take(kq, host_fd);
    if (id < 0)
        return id;
    struct parked *parked = parked_at(kq, id);
    if (!keep_handle(parked, handle)) {
        parked->bytes = 0;
        let_go(kq, id);
        return -ENOMEM;
    }
    parked->mount = (uint8_t)mount;
    kq->mounts[mount].users++;
    knote_move(kq, host_fd, id);
    return id;
}

static int park_held(struct kq *kq, int host_fd, const struct look *look,
                     const struct held *held)
{
    int32_t id = take(kq, host_fd);
    if (id < 0)
        return id;
    struct parked *parked = parked_at(kq, id);
    int mount = mount_add_refusing(kq, look->dev);
    if (mount < KQ_MOUNTS)
        kq->mounts[mount].users++;
    parked->mount = (uint8_t)mount;
    parked->keeper = held->keeper;
    parked->number = held->number;
    parked->bytes = 0;
    parked->is_dir = S_ISDIR(look->mode);
    parked->kept.dev = look->dev;
    parked->kept.ino = look->ino;
    knote_move(kq, host_fd, id);
    return id;
}

static int park_by_handle(struct kq *kq, int host_fd, const struct look *look)
{
    struct handle handle = {0};
    int fds[KQ_MOUNTS], mount_fd = -1, mount_id;
    int rc = handle_of(host_fd, look, &handle, &mount_id);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&kq->lock);
    int mount = mount_find(kq, handle.dev);
    if (mount < 0) {
        pthread_mutex_unlock(&kq->lock);
        mount_fd = mount_try(host_fd, &handle, mount_id);
        if (mount_fd < 0)
            return mount_fd;
        pthread_mutex_lock(&kq->lock);
        mount = mount_add(kq, handle.dev, &mount_fd);
    }
    if (mount >= 0 && kq->mounts[mount].host_fd < 0)
        mount = -EPERM;
    rc = mount < 0 ? mount : park_handle(kq, host_fd, &handle, mount);
    int n = rc < 0 ? mount_take_unused(kq, fds) : 0;
    pthread_mutex_unlock(&kq->lock);
    if (mount_fd >= 0)
        close(mount_fd);
    while (n > 0)
        close(fds[--n]);
    return rc;
}

static int park_kept(struct kq *kq, int host_fd, const struct look *look)
{
    struct held held;
    int rc = keepers_take(&kq->keepers, host_fd, &held);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&kq->lock);
    rc = park_held(kq, host_fd, look, &held);
    pthread_mutex_unlock(&kq->lock);
    if (rc < 0)
        keepers_drop(&kq->keepers, &held);
    return rc;
}

int kq_park(struct kq *kq, int host_fd, const struct look *look)
{
    if (!S_ISDIR(look->mode) && !S_ISREG(look->mode))
        return -EOPNOTSUPP;
    pthread_mutex_lock(&kq->lock);
    int rc = check_knote(kq, host_fd);
    bool refuses = mount_refuses(kq, look->dev);
    pthread_mutex_unlock(&kq->lock);
    if (rc != 0)
        return rc;
    rc = refuses ? -EPERM : park_by_handle(kq, host_fd, look);
    return rc < 0 ? park_kept(kq, host_fd, look) : rc;
}

int kq_reopen(struct kq *kq, int parked, enum kq_reopen what_for)
{
    struct parked_ref ref;
    int fd;
    pthread_mutex_lock(&kq->lock);
    parked_borrow(kq, parked, &ref);
    pthread_mutex_unlock(&kq->lock);
    if (what_for == KQ_TO_LOOK) {
        fd = parked_open(&ref, O_PATH);
    } else {
        fd = parked_open(&ref, O_RDONLY | O_NOATIME);
        if (fd == -EPERM) /* somebody else's */
            fd = parked_open(&ref, O_RDONLY);
    }
    pthread_mutex_lock(&kq->lock);
    parked_give_back(kq);
    pthread_mutex_unlock(&kq->lock);
    return fd;
}

/* What is kept has kept its number. */
static bool is_kept_one(const struct parked *parked, int host_fd)
{
    struct look look;
    return look_at(host_fd, "", &look) == 0 && look.dev == parked->kept.dev &&
           look.ino == parked->kept.ino;
}

static bool is_handle_of(const struct handle *known, int host_fd)
{
    struct handle handle;
    int mount_id;
    const struct look look = {.mode = known->is_dir ? S_IFDIR : S_IFREG};
    return handle_of(host_fd, &look, &handle, &mount_id) == 0 &&
           handle.type == known->type && handle.bytes == known->bytes &&
           memcmp(handle.data, known->data, handle.bytes) == 0;
}

bool kq_is_parked_one(struct kq *kq, int parked, int host_fd)
{
    struct parked_ref known;
    pthread_mutex_lock(&kq->lock);
    const struct parked copy = *parked_at(kq, parked);
    parked_borrow(kq, parked, &known);
    parked_give_back(kq); /* its handle is enough */
    pthread_mutex_unlock(&kq->lock);
    return copy.bytes == 0 ? is_kept_one(&copy, host_fd)
                           : is_handle_of(&known.handle, host_fd);
}

void parked_end(struct kq *kq, int32_t id)
{
    int fds[KQ_MOUNTS];
    pthread_mutex_lock(&kq->lock);
    struct parked *parked = parked_at(kq, id);
    const struct held held = held_of(parked);
    bool is_kept = parked->bytes == 0;
    if (parked->mount < KQ_MOUNTS)
        kq->mounts[parked->mount].users--;
    if (knote_find(kq, id))
        knote_destroy(kq, id);
    let_go(kq, id);
    int n = mount_take_unused(kq, fds);
    pthread_mutex_unlock(&kq->lock);
    if (is_kept)
        keepers_drop(&kq->keepers, &held);
    while (n > 0)
        close(fds[--n]);
}

void parked_free_all(struct kq *kq)
{
    for (int i = 0; i < KQ_MOUNTS; i++)
        if (kq->mounts[i].host_fd > 0)
            close(kq->mounts[i].host_fd);
    for (size_t i = 0; i < kq->nparked_chunks; i++) {
        for (int at = 0; at < KQ_CHUNK; at++)
            if (kq->parked_chunks[i][at].bytes > KQ_HANDLE_NEAR)
                free(kq->parked_chunks[i][at].far);
        free(kq->parked_chunks[i]);
    }
    free(kq->parked_chunks);
}
