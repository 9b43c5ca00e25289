/*
 * inherited.h - descriptors that came with the start and are the guest's alone
 *
 * While we had them too, nobody would see the guest close its end of a pipe,
 * give up a lock or stop listening.
 *
 * Threads: called while there is one.
 */
#pragma once

#include <stddef.h>

/* Closes every descriptor above 2 but the kept ones; negative ones are none. */
void inherited_close(const int kept[], size_t count);

/* Descriptors first to last, of 0 to 2, become /dev/null. */
void inherited_to_null(int first, int last);
