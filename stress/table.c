#include "table.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLES_MAX = 16, COLUMNS_MAX = 24, CELL_MAX = 64 };

struct table {
    const char *name, *title;
    json_t *rows;
    const char *columns[COLUMNS_MAX];
    int column_count;
};

static struct table tables[TABLES_MAX];
static int table_count;

static void out_of_memory(void)
{
    fprintf(stderr, "vnotify: no memory for the results\n");
    exit(125);
}

struct table *table_create(const char *name, const char *title)
{
    struct table *table = &tables[table_count++];

    if (table_count == TABLES_MAX)
        out_of_memory();
    table->name = name;
    table->title = title;
    table->rows = json_array();
    if (table->rows == NULL)
        out_of_memory();
    return table;
}

void table_row(struct table *table)
{
    if (json_array_append_new(table->rows, json_object()) != 0)
        out_of_memory();
}

static void show_column(struct table *table, const char *column)
{
    for (int i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i], column) == 0)
            return;
    if (table->column_count < COLUMNS_MAX)
        table->columns[table->column_count++] = column;
}

static void set(struct table *table, const char *column, json_t *value)
{
    json_t *row =
        json_array_get(table->rows, json_array_size(table->rows) - 1);

    if (json_object_set_new(row, column, value) != 0)
        out_of_memory();
}

void table_text(struct table *table, const char *column, const char *value)
{
    show_column(table, column);
    set(table, column, json_string(value));
}

void table_hidden(struct table *table, const char *column, double value)
{
    set(table, column, json_real(isfinite(value) ? value : 0));
}

void table_number(struct table *table, const char *column, double value)
{
    show_column(table, column);
    table_hidden(table, column, value);
}

/* Three digits that mean something, and no exponent. */
static void format_cell(const json_t *value, char *cell)
{
    double number = json_real_value(value), size = fabs(number);
    int decimals = 2;

    if (json_is_string(value)) {
        snprintf(cell, CELL_MAX, "%s", json_string_value(value));
        return;
    }
    if (!json_is_real(value)) {
        snprintf(cell, CELL_MAX, "-");
        return;
    }
    if (size >= 100 || size == floor(size))
        decimals = 0;
    else if (size >= 10)
        decimals = 1;
    else if (size < 0.1)
        decimals = 4;
    snprintf(cell, CELL_MAX, "%.*f", decimals, number);
}

static int width_of(const struct table *table, const char *column)
{
    int width = (int)strlen(column);
    json_t *row;
    size_t i;
    char cell[CELL_MAX];

    json_array_foreach (table->rows, i, row) {
        format_cell(json_object_get(row, column), cell);
        if ((int)strlen(cell) > width)
            width = (int)strlen(cell);
    }
    return width;
}

void table_print(const struct table *table)
{
    int widths[COLUMNS_MAX];
    json_t *row;
    size_t i;
    char cell[CELL_MAX];

    printf("\n%s\n\n", table->title);
    for (int c = 0; c < table->column_count; c++) {
        widths[c] = width_of(table, table->columns[c]);
        printf("%*s  ", widths[c], table->columns[c]);
    }
    printf("\n");
    json_array_foreach (table->rows, i, row) {
        for (int c = 0; c < table->column_count; c++) {
            format_cell(json_object_get(row, table->columns[c]), cell);
            printf("%*s  ", widths[c], cell);
        }
        printf("\n");
    }
    fflush(stdout);
}

static json_t *columns_of(const struct table *table)
{
    json_t *columns = json_array();

    for (int c = 0; c < table->column_count; c++)
        json_array_append_new(columns, json_string(table->columns[c]));
    return columns;
}

int tables_write(const struct options *options, const char *program)
{
    json_t *all = json_object(), *list = json_array();
    int failed;

    if (options->json == NULL)
        return 0;
    json_object_set_new(all, "program", json_string(program));
    json_object_set_new(all, "seed", json_integer((json_int_t)options->seed));
    json_object_set_new(all, "seconds", json_real(options->seconds));
    json_object_set_new(all, "rounds", json_integer(options->rounds));
    for (int i = 0; i < table_count; i++) {
        json_t *table = json_object();

        json_object_set_new(table, "name", json_string(tables[i].name));
        json_object_set_new(table, "title", json_string(tables[i].title));
        json_object_set_new(table, "columns", columns_of(&tables[i]));
        json_object_set(table, "rows", tables[i].rows);
        json_array_append_new(list, table);
    }
    json_object_set_new(all, "tables", list);
    failed = json_dump_file(all, options->json,
                            JSON_INDENT(1) | JSON_PRESERVE_ORDER |
                                JSON_REAL_PRECISION(9));
    json_decref(all);
    if (failed)
        fprintf(stderr, "vnotify: %s: cannot write\n", options->json);
    return failed ? -1 : 0;
}
