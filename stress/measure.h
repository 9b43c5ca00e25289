/*
 * measure.h - what a program sees of itself
 *
 * Threads: any.  Errors: a message, and exit with 125.
 */
#pragma once

double measure_us(void);             /* CLOCK_MONOTONIC */
double measure_resident_bytes(void); /* RSS */
int measure_descriptors(void);       /* that are open */
