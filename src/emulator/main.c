/*
 * main.c - vnotify: runs Linux programs over this engine's inotify
 */
#include <stdlib.h>

#include "emulator/launch.h"
#include "emulator/options.h"
#include "emulator/watch-command.h"

int main(int argc, char **argv)
{
    struct options options;

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
