#include "variant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16, PATH_BYTES = 600, SIGNAL_STATUS = 128 };

const struct variant variants[VARIANTS] = {
    { "native", { NULL } },
    { "guest", { "../vnotify", "run", "--notes=freebsd", "--", NULL } },
    { "strict", { "../vnotify", "run", "--strict", "--", NULL } },
    { "trapped", { "trap-only", NULL } },
};

static _Noreturn void give_up(const char *what, const char *name)
{
    fprintf(stderr, "vnotify: cannot %s %s: %s\n", what, name,
            strerror(errno));
    exit(125);
}

unsigned variants_wanted(const struct options *options, enum variant_id *ids)
{
    unsigned count = 0;

    options_check("subjects", options->subjects, &variants[0].name, VARIANTS,
                  sizeof(variants[0]));
    for (int i = 0; i < VARIANTS; i++)
        if (options_want(options, variants[i].name))
            ids[count++] = (enum variant_id)i;
    return count;
}

void variants_shuffle(enum variant_id *ids, unsigned count, uint64_t *random)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = random_below(random, i + 1);
        enum variant_id moved = ids[i];

        ids[i] = ids[at];
        ids[at] = moved;
    }
}

const char *beside_us(const char *name)
{
    static char path[PATH_BYTES];
    char self[PATH_BYTES / 2];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (length < 0)
        give_up("read", "/proc/self/exe");
    self[length] = '\0';
    slash = strrchr(self, '/');
    snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self, name);
    return path;
}

pid_t variant_start(enum variant_id id, const char *const *argv, int out)
{
    const char *words[WORDS_MAX];
    unsigned count = 0;
    pid_t pid;

    for (; variants[id].words[count] != NULL; count++)
        words[count] = count == 0 ? beside_us(variants[id].words[0])
                                  : variants[id].words[count];
    while (count < WORDS_MAX - 1 && *argv != NULL)
        words[count++] = *argv++;
    words[count] = NULL;
    pid = fork();
    if (pid < 0)
        give_up("start", words[0]);
    if (pid > 0)
        return pid;
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    execv(words[0], (char *const *)words);
    fprintf(stderr, "vnotify: %s: %s\n", words[0], strerror(errno));
    _exit(125);
}

int variant_end(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR)
            give_up("wait for", "a program");
    return WIFSIGNALED(status) ? SIGNAL_STATUS + WTERMSIG(status)
                               : WEXITSTATUS(status);
}
