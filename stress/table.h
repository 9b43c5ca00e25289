/*
 * table.h - the results of a benchmark: a table for people, JSON for programs
 *
 * The columns of a table are the members that its rows have, in the order in
 * which the first row got them; a member that a row lacks is printed as "-".
 *
 * Threads: one.
 */
#pragma once

#include "options.h"

struct table;

/* A table of the program's results; `title` is printed above it. */
struct table *table_create(const char *name, const char *title);

void table_row(struct table *); /* begins a row */
void table_text(struct table *, const char *column, const char *value);
void table_number(struct table *, const char *column, double value);

/* For the JSON file alone. */
void table_hidden(struct table *, const char *column, double value);

void table_print(const struct table *);

/* All tables into --json's file; 0, or -1 after a message. */
int tables_write(const struct options *, const char *program);
