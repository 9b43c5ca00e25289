/*
 * foreign.c - finds a program, and what can run it
 */
#include "emulator/foreign.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STATUS_CANNOT_RUN = 126,
    STATUS_NOT_FOUND = 127,
    HEAD_BYTES = 256, /* Linux reads as much to find #! */
    QEMU_ARGS = 5,    /* at most, before PATH (see plan_qemu) */
};

static const struct {
    unsigned machine;
    unsigned char class;
    unsigned char data;
    const char *qemu;
} machines[] = {
    { EM_AARCH64, ELFCLASS64, ELFDATA2LSB, "aarch64" },
    { EM_ARM, ELFCLASS32, ELFDATA2LSB, "arm" },
    { EM_X86_64, ELFCLASS64, ELFDATA2LSB, "x86_64" },
    { EM_386, ELFCLASS32, ELFDATA2LSB, "i386" },
    { EM_RISCV, ELFCLASS64, ELFDATA2LSB, "riscv64" },
    { EM_RISCV, ELFCLASS32, ELFDATA2LSB, "riscv32" },
    { EM_PPC64, ELFCLASS64, ELFDATA2LSB, "ppc64le" },
    { EM_PPC64, ELFCLASS64, ELFDATA2MSB, "ppc64" },
    { EM_S390, ELFCLASS64, ELFDATA2MSB, "s390x" },
    { EM_MIPS, ELFCLASS64, ELFDATA2LSB, "mips64el" },
    { EM_MIPS, ELFCLASS32, ELFDATA2LSB, "mipsel" },
    { EM_MIPS, ELFCLASS32, ELFDATA2MSB, "mips" },
};

static bool runs_natively(unsigned machine)
{
#if defined(__x86_64__)
    return machine == EM_X86_64 || machine == EM_386;
#elif defined(__aarch64__)
    return machine == EM_AARCH64 || machine == EM_ARM;
#else
    return true;
#endif
}

const char *foreign_machine(const unsigned char *header, unsigned long bytes)
{
    unsigned low;
    unsigned high;
    unsigned machine;

    if (bytes < sizeof(Elf32_Ehdr) || memcmp(header, ELFMAG, SELFMAG) != 0)
        return NULL;
    low = header[offsetof(Elf32_Ehdr, e_machine)];
    high = header[offsetof(Elf32_Ehdr, e_machine) + 1];
    machine = header[EI_DATA] == ELFDATA2MSB ? low << 8 | high
                                             : high << 8 | low;
    if (runs_natively(machine))
        return NULL;
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (machines[i].machine == machine &&
            machines[i].class == header[EI_CLASS] &&
            machines[i].data == header[EI_DATA])
            return machines[i].qemu;
    }
    return NULL;
}

static bool is_program(const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0)
        return false;
    if (S_ISDIR(file.st_mode)) {
        errno = EISDIR;
        return false;
    }
    return access(path, X_OK) == 0;
}

char *foreign_find(const char *program)
{
    const char *search = getenv("PATH");
    size_t size = strlen("./") + strlen(program) + 1; /* and an element */
    int error = ENOENT;
    char *path;

    if (strchr(program, '/') || !*program) {
        if (*program && is_program(program))
            return strdup(program);
        errno = *program ? errno : ENOENT;
        return NULL;
    }
    if (!search)
        search = "/bin:/usr/bin";
    path = malloc(strlen(search) + size);
    while (path) {
        size_t length = strcspn(search, ":");

        /* An empty element is the working directory. */
        sprintf(path, "%.*s%s%s", (int)length, search, length ? "/" : "./",
                program);
        if (is_program(path))
            return path;
        if (errno == EACCES || errno == EISDIR)
            error = EACCES; /* found, but no program: 126 if there is none */
        if (!search[length])
            break;
        search += length + 1;
    }
    free(path);
    errno = error;
    return NULL;
}

/* The first bytes of a file; 0 if it cannot be read: exec will tell why. */
static size_t read_head(const char *path, char *head)
{
    int host_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = -1;

    if (host_fd >= 0) {
        got = read(host_fd, head, HEAD_BYTES);
        close(host_fd);
    }
    return got > 0 ? (size_t)got : 0;
}

bool foreign_is_text(const char *path)
{
    char head[HEAD_BYTES];
    size_t bytes = read_head(path, head);
    const char *line_end = memchr(head, '\n', bytes);

    if (line_end)
        bytes = (size_t)(line_end - head);
    return memchr(head, '\0', bytes) == NULL &&
           (bytes < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0);
}

/* What a script's first line names; empty: it is no script. */
struct interpreter {
    char path[HEAD_BYTES + 1];
    char argument[HEAD_BYTES + 1];
};

/* A line of a script's head, "#!" cut off, as Linux takes it apart. */
static void parse_interpreter(char *line, struct interpreter *to)
{
    size_t length;

    line[strcspn(line, "\n")] = '\0';
    line += strspn(line, " \t");
    length = strcspn(line, " \t");
    snprintf(to->path, sizeof(to->path), "%.*s", (int)length, line);
    line += length;
    line += strspn(line, " \t");
    length = strlen(line);
    while (length && strchr(" \t", line[length - 1]))
        length--;
    snprintf(to->argument, sizeof(to->argument), "%.*s", (int)length, line);
}

/* QEMU's name for what the CPU would have to run, a script's interpreter. */
static const char *find_machine(const char *path, struct interpreter *to)
{
    char head[HEAD_BYTES + 1];
    size_t bytes = read_head(path, head);

    head[bytes] = '\0';
    to->path[0] = to->argument[0] = '\0';
    if (bytes > 2 && head[0] == '#' && head[1] == '!') {
        parse_interpreter(head + 2, to);
        bytes = read_head(to->path, head);
    }
    return foreign_machine((unsigned char *)head, bytes);
}

static char *find_qemu(const char *machine)
{
    char name[32];
    char *path;

    snprintf(name, sizeof(name), "qemu-%s-static", machine);
    path = foreign_find(name);
    if (path)
        return path;
    snprintf(name, sizeof(name), "qemu-%s", machine);
    return foreign_find(name);
}

static int plan_native(char *const argv[], char *path,
                       struct foreign_plan *plan)
{
    size_t count = 0;

    while (argv[count])
        count++;
    plan->argv = calloc(count + 1, sizeof(char *));
    if (!plan->argv)
        return -ENOMEM;
    memcpy(plan->argv, argv, count * sizeof(char *));
    plan->path = path;
    return 0;
}

static int complain_not_found(const char *program)
{
    bool searched = errno == ENOENT && *program && !strchr(program, '/');

    fprintf(stderr, "vnotify: %s: %s\n", *program ? program : "\"\"",
            searched ? "not found in PATH" : strerror(errno));
    return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND
                                               : STATUS_CANNOT_RUN;
}

/*
 * qemu -0 NAME PATH ARG...: the program sees its own name as argv[0]; for a
 * script, qemu -0 INTERPRETER INTERPRETER [ARGUMENT] PATH ARG...
 */
static int plan_qemu(char *const argv[], char *path, char *qemu,
                     const struct interpreter *script,
                     struct foreign_plan *plan)
{
    static char zero[] = "-0";
    size_t count = 0;
    char **to;

    while (argv[count])
        count++;
    plan->path = qemu;
    plan->program = path;
    plan->argv = to = calloc(count + QEMU_ARGS + 1, sizeof(char *));
    plan->interpreter = strdup(script->path);
    plan->argument = strdup(script->argument);
    if (!to || !plan->interpreter || !plan->argument)
        return -ENOMEM;
    *to++ = qemu;
    *to++ = zero;
    if (*script->path) {
        *to++ = plan->interpreter;
        *to++ = plan->interpreter;
        if (*script->argument)
            *to++ = plan->argument;
    } else {
        *to++ = argv[0];
    }
    *to++ = path;
    memcpy(to, argv + 1, (count - 1) * sizeof(char *));
    return 0;
}

int foreign_plan(char *const argv[], struct foreign_plan *plan)
{
    char *path = foreign_find(argv[0]);
    struct interpreter script;
    const char *machine;
    char *qemu;
    int error;

    *plan = (struct foreign_plan){ 0 };
    if (!path)
        return complain_not_found(argv[0]);
    machine = find_machine(path, &script);
    if (!machine) {
        error = plan_native(argv, path, plan);
    } else {
        qemu = find_qemu(machine);
        if (!qemu) {
            fprintf(stderr,
                    "vnotify: %s is a program for %s, and there is no "
                    "qemu-%s-static: install it (Debian: qemu-user-static)\n",
                    argv[0], machine, machine);
            free(path);
            return STATUS_CANNOT_RUN;
        }
        error = plan_qemu(argv, path, qemu, &script, plan);
    }
    if (error < 0)
        fprintf(stderr, "vnotify: %s\n", strerror(-error));
    return error < 0 ? STATUS_CANNOT_RUN : 0;
}

void foreign_plan_fini(struct foreign_plan *plan)
{
    free(plan->path);
    free(plan->argv);
    free(plan->program);
    free(plan->interpreter);
    free(plan->argument);
}
