/*
 * watch-command.h - `vnotify watch`: prints events as they come
 *
 * Threads: main's, and the engine's.
 */
#pragma once

#include "emulator/options.h"

/* Until SIGINT or SIGTERM, or until nothing is watched; an exit status. */
int watch_command(const struct options *);
