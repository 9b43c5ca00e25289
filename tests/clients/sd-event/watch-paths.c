/*
 * Path conditions as systemd's .path units have them (PathExists, PathChanged,
 * PathModified), with sd-event: a line for each time that one would trigger.
 *
 *     watch-paths DIRECTORY
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>

struct condition {
    const char *kind;
    char path[PATH_MAX];
};

static int trigger(sd_event_source *source, const struct inotify_event *event,
                   void *data)
{
    const struct condition *condition = data;

    (void)source;
    if ((event->mask & (IN_IGNORED | IN_Q_OVERFLOW)) != 0)
        return 0;
    if (event->len > 0)
        printf("%s|%s/%s\n", condition->kind, condition->path, event->name);
    else
        printf("%s|%s\n", condition->kind, condition->path);
    return 0;
}

static void add(sd_event *loop, const char *root, const char *name,
                const char *kind, uint32_t mask)
{
    struct condition *condition = calloc(1, sizeof(*condition));
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    snprintf(condition->path, sizeof(condition->path), "%s", name);
    condition->kind = kind;
    if (sd_event_add_inotify(loop, NULL, path, mask, trigger, condition) < 0) {
        fprintf(stderr, "cannot watch %s\n", path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const uint32_t changed = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB |
                             IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
                             IN_MOVED_FROM | IN_MOVED_TO;
    sd_event *loop;

    if (argc != 2 || sd_event_default(&loop) < 0)
        return 1;
    setlinebuf(stdout);
    add(loop, argv[1], ".", "changed", changed);
    add(loop, argv[1], "logs", "modified", changed | IN_MODIFY);
    add(loop, argv[1], "dir-a/old-1", "modified", changed | IN_MODIFY);
    add(loop, argv[1], "dir-b", "exists",
        IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB);
    puts("ready");
    return sd_event_loop(loop) < 0;
}
