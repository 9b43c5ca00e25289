#include "process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES_MAX = 4096, LINE = 512 };

struct process {
    pid_t pid, parent;
    char name[32];
    bool in_group;
};

static unsigned list_processes(struct process *all)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    unsigned count = 0;

    while (proc != NULL && count < PROCESSES_MAX &&
           (entry = readdir(proc)) != NULL) {
        struct process *process = &all[count];
        char path[64 + sizeof(entry->d_name)], line[LINE], *end;
        FILE *file;

        process->pid = (pid_t)strtol(entry->d_name, &end, 10);
        if (process->pid <= 0 || *end != '\0')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        file = fopen(path, "r");
        if (file == NULL)
            continue;
        /* PID (NAME) STATE PARENT; the name may hold anything. */
        if (fgets(line, sizeof(line), file) != NULL &&
            (end = strrchr(line, ')')) != NULL) {
            *end = '\0';
            snprintf(process->name, sizeof(process->name), "%s",
                     strchr(line, '(') + 1);
            process->parent = (pid_t)strtol(end + 3, NULL, 10);
            process->in_group = false;
            count++;
        }
        fclose(file);
    }
    if (proc != NULL)
        closedir(proc);
    return count;
}

static void mark_group(struct process *all, unsigned count, pid_t first)
{
    bool more = true;

    while (more) {
        more = false;
        for (unsigned i = 0; i < count; i++) {
            bool joins = all[i].pid == first;

            for (unsigned p = 0; p < count && !joins; p++)
                joins = all[p].in_group && all[p].pid == all[i].parent;
            more = more || (joins && !all[i].in_group);
            all[i].in_group = joins;
        }
    }
}

/* The number after "KEY:" in a file of such lines; 0 if there is none. */
static double number_in(const char *path, const char *key)
{
    FILE *file = fopen(path, "r");
    char line[LINE];
    size_t length = strlen(key);
    double value = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            value = strtod(line + length + 1, NULL);
    if (file != NULL)
        fclose(file);
    return value;
}

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count;
}

static void add_thread(const char *task, struct usage *usage)
{
    char path[600];
    FILE *file;
    double ns = 0;

    snprintf(path, sizeof(path), "%s/status", task);
    usage->wakeups += number_in(path, "voluntary_ctxt_switches") +
                      number_in(path, "nonvoluntary_ctxt_switches");
    snprintf(path, sizeof(path), "%s/schedstat", task);
    file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%lf", &ns) == 1)
        usage->cpu_ns += ns;
    if (file != NULL)
        fclose(file);
    usage->threads++;
}

static void add_process(pid_t pid, struct usage *usage)
{
    char path[64], task[64 + 256];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    usage->resident_bytes +=
        1024 * (number_in(path, "VmRSS") - number_in(path, "RssShmem"));
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    usage->descriptors += count_entries(path);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') {
            snprintf(task, sizeof(task), "%s/%s", path, entry->d_name);
            add_thread(task, usage);
        }
    if (dir != NULL)
        closedir(dir);
}

void process_group_usage_without(pid_t first, const char *name,
                                 struct usage *usage)
{
    static struct process all[PROCESSES_MAX];
    unsigned count = list_processes(all);

    *usage = (struct usage){ 0 };
    mark_group(all, count, first);
    for (unsigned i = 0; i < count; i++)
        if (all[i].in_group && (name == NULL || strcmp(all[i].name, name) != 0))
            add_process(all[i].pid, usage);
}

void process_group_usage(pid_t first, struct usage *usage)
{
    process_group_usage_without(first, NULL, usage);
}
