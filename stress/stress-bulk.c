/*
 * stress-bulk - a few names at a time change in directories of 30,000
 *
 * Such a directory takes several calls to list, so names that are new are told
 * while the listing runs (src/pipeline/stream.h), and there are other changes,
 * renames between the directories too, before it has ended.
 */
#include "storm.h"

static void check(const struct vnotify_stats *stats)
{
    figure("names told early", (double)stats->names_streamed, "");
    if (stats->names_streamed == 0)
        world_fail("no name was told before its listing had ended");
}

int main(int argc, char **argv)
{
    static const struct storm_watcher watchers[STORM_WATCHERS] = {
        { .step = 1, .mask = MEMBERSHIP },
        { .step = 2, .mask = MEMBERSHIP | CONTENT },
    };
    struct options options = { 0 };

    options_parse(&options, argc, argv);
    world.program = "stress-bulk";
    world.dirs = 3;
    world.names = 60000;
    world.filled = 2;
    world.content = true;
    world.burst_max = 8;
    world.rest_us_max = 40 * 1000;
    return storm_run(&options, watchers, check);
}
