#include "pipeline/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const step_names[FAULT_STEPS] = {
    [FAULT_OPEN] = "open",
    [FAULT_READ] = "read",
    [FAULT_ALLOC] = "alloc",
};

static int parse_one(struct fault *fault, const char *item, size_t len)
{
    for (int step = 0; step < FAULT_STEPS; step++) {
        size_t name_len = strlen(step_names[step]);

        if (len <= name_len + 1 || item[name_len] != '=' ||
            memcmp(item, step_names[step], name_len) != 0)
            continue;
        free(fault->path[step]);
        fault->path[step] =
            strndup(item + name_len + 1, len - name_len - 1);
        return fault->path[step] == NULL ? -ENOMEM : 0;
    }
    return -EINVAL;
}

int fault_init(struct fault *fault, const char *spec)
{
    *fault = (struct fault){ .any = spec != NULL };
    while (spec != NULL && *spec != '\0') {
        size_t len = strcspn(spec, ",");
        int err = parse_one(fault, spec, len);

        if (err != 0) {
            fault_fini(fault);
            return err;
        }
        spec += len + (spec[len] == ',');
    }
    return 0;
}

void fault_fini(struct fault *fault)
{
    for (int step = 0; step < FAULT_STEPS; step++)
        free(fault->path[step]);
    *fault = (struct fault){ 0 };
}

bool fault_hits(const struct fault *fault, enum fault_step step)
{
    return fault->any && fault->path[step] != NULL &&
           access(fault->path[step], F_OK) == 0;
}
