#include "pipeline/child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first of the sorted rows whose inode is not below. */
static uint32_t position(const struct children *children, uint64_t ino)
{
    uint32_t low = 0, high = children->sorted;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (children->rows[middle].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct row *children_find(const struct children *children, uint64_t ino)
{
    uint32_t at = position(children, ino);

    return at < children->sorted && children->rows[at].ino == ino
               ? &children->rows[at]
               : NULL;
}

static bool grow(void **array, uint32_t *size, uint32_t needed, size_t bytes)
{
    uint32_t to = *size == 0 ? 8 : *size;
    void *grown;

    if (needed <= *size)
        return true;
    while (to < needed)
        to *= 2;
    grown = realloc(*array, to * bytes);
    if (grown == NULL)
        return false;
    *array = grown;
    *size = to;
    return true;
}

int children_reserve(struct children *children, uint32_t rows,
                     uint32_t findings)
{
    return grow((void **)&children->rows, &children->size,
                children->count + rows, sizeof(struct row)) &&
                   grow((void **)&children->findings,
                        &children->finding_size,
                        children->finding_count + findings,
                        sizeof(struct finding))
               ? 0
               : -ENOMEM;
}

void children_append(struct children *children, const struct row *row)
{
    children->rows[children->count++] = *row;
}

static int by_inode(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return (x->ino > y->ino) - (x->ino < y->ino);
}

void children_sort(struct children *children)
{
    enum { FEW = 8 }; /* are cheaper to put into place one by one */

    if (children->count - children->sorted > FEW) {
        qsort(children->rows, children->count, sizeof(struct row), by_inode);
        children->sorted = children->count;
    }
    while (children->sorted < children->count) {
        struct row row = children->rows[children->sorted];
        uint32_t at = position(children, row.ino);
        struct row *here = &children->rows[at];

        memmove(here + 1, here, (children->sorted - at) * sizeof(*here));
        *here = row;
        children->sorted++;
    }
}

void children_remove(struct children *children, struct row *row)
{
    size_t at = (size_t)(row - children->rows);

    children->count--;
    children->sorted--;
    memmove(row, row + 1, (children->count - at) * sizeof(*row));
}

void children_found(struct children *children, uint64_t ino, uint32_t bits,
                    bool is_dir)
{
    if (bits != 0)
        children->findings[children->finding_count++] =
            (struct finding){ .ino = ino, .bits = bits, .is_dir = is_dir };
}

void children_free(struct children *children)
{
    if (children == NULL)
        return;
    free(children->rows);
    free(children->findings);
    free(children->quiet);
    free(children);
}
