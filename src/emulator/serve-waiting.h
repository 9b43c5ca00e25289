/*
 * serve-waiting.h - what is done with an instance's descriptor
 *
 * Trapped are short reads and dup; with --strict also all other reads,
 * FIONREAD, and polls that do not wait.
 *
 * With --strict every such call first waits until all that had happened is in
 * the pipes (vnotify_sync), so that a program finds in its queue what it did
 * itself just before, as Linux has it.  A poll is continued in the kernel then;
 * a read is served here, or continued if there is nothing.
 *
 * Threads: any handler.
 */
#pragma once

#include "emulator/calls.h"
#include "emulator/service.h"

void serve_waiting(struct service *, const struct trapped *, struct call);
