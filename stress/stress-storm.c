/*
 * stress-storm - everything changes, everywhere, as fast as it can
 *
 * 64 directories of up to 2,000 names each change without rest; one instance
 * watches all of them, another every other one, so that renames leave it.
 */
#include "storm.h"

int main(int argc, char **argv)
{
    static const struct storm_watcher watchers[STORM_WATCHERS] = {
        { .step = 1, .mask = MEMBERSHIP },
        { .step = 2, .mask = MEMBERSHIP },
    };
    struct options options = { 0 };

    options_parse(&options, argc, argv);
    world.program = "stress-storm";
    world.dirs = 64;
    world.names = 2000;
    return storm_run(&options, watchers, NULL);
}
