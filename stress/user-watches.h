/*
 * user-watches.h - as many kernel watches as a program of ours needs
 *
 * Every watch of any subject is a kernel watch in the end, out of
 * fs.inotify.max_user_watches.
 */
#pragma once

/*
 * Raises that limit to `wanted`, if it is lower and root may; it is put back
 * when the program ends by exit or one of the usual signals.  Otherwise whoever
 * adds watches is told ENOSPC.
 */
void user_watches_want(unsigned long wanted);
