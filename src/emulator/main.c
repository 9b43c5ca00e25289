/*
 * main.c - vnotify: runs Linux programs over this engine's inotify
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "emulator/launch.h"
#include "emulator/options.h"
#include "emulator/watch-command.h"

/*
 * Descriptors 0 to 2 may be closed.  Then something of our own would get their
 * numbers, and be taken for them.  The guest finds them closed again.
 */
static void hold_standard_descriptors(void)
{
    int host_fd;

    do {
        host_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (host_fd >= 0 && host_fd <= STDERR_FILENO);
    if (host_fd >= 0)
        close(host_fd);
}

int main(int argc, char **argv)
{
    struct options options;

    hold_standard_descriptors();
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_DONE:
        return EXIT_SUCCESS;
    case OPTIONS_RUN:
        return launch_run(&options);
    case OPTIONS_WATCH:
        return watch_command(&options);
    default:
        return LAUNCH_FAILED;
    }
}
