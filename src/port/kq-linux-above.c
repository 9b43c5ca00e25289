/*
 * kq-linux-above.c - the directory above, known again
 *
 * Directories that are watched one after the other mostly have their parents in
 * common.  So the last few of these are remembered by device, inode and birth,
 * and a name that the caller supposes is compared with what has that name above
 * the new directory.  Two looks take the place of inotify_add_watch and
 * readlink through procfs.
 *
 * The inode number of a remembered directory is not another's, while it is
 * watched: a watch keeps its inode.  When that is removed all the same, the
 * kernel's IN_IGNORED may wait to be read while the number is used again; then
 * the birth tells them apart, and should both have been within a tick of the
 * clock, node_bury has the directory look for its parent again.
 *
 * The name was looked up behind both kernel watches, as in host_adopt.
 */
#include "port/kq-linux-internal.h"

#include <limits.h>
#include <string.h>

void above_remember(struct kq *kq, const struct look *parent, int32_t wd)
{
    int at = 0;
    while (at < KQ_ABOVE && (kq->above[at].dev != parent->dev ||
                             kq->above[at].ino != parent->ino))
        at++;
    if (at == KQ_ABOVE)
        at = (int)(kq->above_next++ % KQ_ABOVE);
    kq->above[at] = (struct above){
        .dev = parent->dev,
        .ino = parent->ino,
        .born = parent->born,
        .wd = wd,
    };
}

static int32_t find(const struct above above[KQ_ABOVE],
                    const struct look *parent)
{
    for (int i = 0; i < KQ_ABOVE; i++) {
        if (above[i].ino == parent->ino && above[i].dev == parent->dev &&
            above[i].born == parent->born)
            return above[i].wd;
    }
    return 0;
}

/* Has it the name that is supposed? */
static bool is_called(int host_fd, const struct kq_known *known,
                      struct place *place)
{
    char path[sizeof("../") + NAME_MAX] = "../";
    size_t len = strlen(known->name);
    struct look look;
    if (len > NAME_MAX || strchr(known->name, '/'))
        return false;
    memcpy(path + 3, known->name, len + 1);
    if (look_at(host_fd, path, &look) != 0 ||
        look.ino != known->look->ino || look.dev != known->look->dev)
        return false;
    place->name_hash = node_hash_name(known->name, len);
    return true;
}

/* Nobody supposes any; not of one that is removed, whose name is none. */
static bool learn(int host_fd, struct place *place)
{
    struct look look;
    place->name_hash = host_learn_name(host_fd);
    return look_at(host_fd, "", &look) == 0 && look.links != 0;
}

bool above_guess(const struct above above[KQ_ABOVE], int host_fd,
                 const struct kq_known *known, struct place *place)
{
    struct look look;
    if (look_at(host_fd, "..", &look) != 0)
        return false;
    place->parent_wd = find(above, &look);
    if (place->parent_wd == 0)
        return false;
    return known->name[0] != '\0' ? is_called(host_fd, known, place)
                                  : learn(host_fd, place);
}
