#include "pipeline/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void trace_line(const struct trace *trace, const char *format, ...)
{
    char line[1024];
    uint64_t ns = now_ns() - trace->start_ns;
    int used, more;
    va_list args;

    used = snprintf(line, sizeof(line), "%6llu.%06llu ",
                    (unsigned long long)(ns / 1000000000),
                    (unsigned long long)(ns / 1000 % 1000000));
    va_start(args, format);
    more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format,
                     args);
    va_end(args);
    if (more < 0)
        return;
    used += more;
    if ((size_t)used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used++] = '\n';
    /* A trace that cannot be written must not stop what it watches. */
    (void)!write(trace->fd, line, (size_t)used);
}
