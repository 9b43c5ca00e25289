/*
 * test-foreign.c - finds a program, and what can run it
 */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emulator/foreign.h"

static char dir[] = "/tmp/vnotify-unit-XXXXXX";

static char *in_dir(const char *name)
{
    static char path[2][128];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

static void write_file(const char *name, const void *bytes, size_t size,
                       mode_t mode)
{
    int host_fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(host_fd >= 0);
    assert_int_equal(write(host_fd, bytes, size), size);
    assert_int_equal(fchmod(host_fd, mode), 0);
    close(host_fd);
}

static Elf64_Ehdr elf(unsigned machine, unsigned char class, unsigned char data)
{
    Elf64_Ehdr header = { .e_ident = ELFMAG };

    header.e_ident[EI_CLASS] = class;
    header.e_ident[EI_DATA] = data;
    header.e_machine = (Elf64_Half)machine;
    if (data == ELFDATA2MSB)
        header.e_machine = (Elf64_Half)(machine << 8 | machine >> 8);
    return header;
}

static const char *machine_of(Elf64_Ehdr header)
{
    return foreign_machine((unsigned char *)&header, sizeof(header));
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    return setenv("PATH", dir, 1);
}

static int teardown(void **state)
{
    static const char *const names[] = { "program", "plain", "script",
                                         "qemu-s390x" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_dir(names[i]));
    return rmdir(dir);
}

static void test_foreign_machine_reads_the_header(void **state)
{
    (void)state;
    assert_string_equal(machine_of(elf(EM_S390, ELFCLASS64, ELFDATA2MSB)),
                        "s390x");
    assert_string_equal(machine_of(elf(EM_PPC64, ELFCLASS64, ELFDATA2LSB)),
                        "ppc64le");
    assert_string_equal(machine_of(elf(EM_RISCV, ELFCLASS64, ELFDATA2LSB)),
                        "riscv64");
#if defined(__x86_64__)
    assert_string_equal(machine_of(elf(EM_AARCH64, ELFCLASS64, ELFDATA2LSB)),
                        "aarch64");
    assert_null(machine_of(elf(EM_X86_64, ELFCLASS64, ELFDATA2LSB)));
    assert_null(machine_of(elf(EM_386, ELFCLASS32, ELFDATA2LSB)));
#endif
    assert_null(foreign_machine((const unsigned char *)"#!/bin/sh", 9));
}

static void test_foreign_find_searches_path(void **state)
{
    char *found;

    (void)state;
    write_file("plain", "x", 1, 0600);
    write_file("program", "x", 1, 0700);
    found = foreign_find("program");
    assert_string_equal(found, in_dir("program"));
    free(found);
    assert_null(foreign_find("no-such-program"));
    assert_int_equal(errno, ENOENT);
    assert_null(foreign_find("plain"));
    assert_int_equal(errno, EACCES);
    assert_null(foreign_find(dir));
    assert_int_equal(errno, EISDIR);
    assert_null(foreign_find(""));
    assert_int_equal(errno, ENOENT);
}

/* One byte too few for such a name would be seen by the allocator. */
static void test_foreign_find_takes_an_empty_path_for_here(void **state)
{
    static const char name[] = "abcdefghijklmnopqrstuv";
    char *found;

    (void)state;
    write_file(name, "x", 1, 0700);
    assert_int_equal(chdir(dir), 0);
    setenv("PATH", "", 1);
    found = foreign_find(name);
    setenv("PATH", dir, 1);
    assert_int_equal(chdir("/"), 0);
    unlink(in_dir(name));
    assert_non_null(found);
    assert_int_equal(strncmp(found, "./", 2), 0);
    assert_string_equal(found + 2, name);
    free(found);
}

static void expect_argv(const struct foreign_plan *plan, const char *words)
{
    char seen[512] = "";

    for (size_t i = 0; plan->argv[i]; i++) {
        if (i)
            strcat(seen, " ");
        strcat(seen, plan->argv[i]);
    }
    assert_string_equal(seen, words);
}

static void test_foreign_plan_puts_qemu_in_front(void **state)
{
    Elf64_Ehdr header = elf(EM_S390, ELFCLASS64, ELFDATA2MSB);
    char name[] = "program";
    char argument[] = "argument";
    char *argv[] = { name, argument, NULL };
    struct foreign_plan plan;
    char want[512];

    (void)state;
    write_file("program", &header, sizeof(header), 0700);
    write_file("qemu-s390x", "x", 1, 0700);
    assert_int_equal(foreign_plan(argv, &plan), 0);
    assert_string_equal(plan.path, in_dir("qemu-s390x"));
    snprintf(want, sizeof(want), "%s/qemu-s390x -0 program %s/program argument",
             dir, dir);
    expect_argv(&plan, want);
    foreign_plan_fini(&plan);
}

static void test_foreign_plan_runs_a_scripts_interpreter(void **state)
{
    Elf64_Ehdr header = elf(EM_S390, ELFCLASS64, ELFDATA2MSB);
    char name[] = "script";
    char *argv[] = { name, NULL };
    struct foreign_plan plan;
    char text[256];
    char want[512];

    (void)state;
    write_file("program", &header, sizeof(header), 0700);
    write_file("qemu-s390x", "x", 1, 0700);
    snprintf(text, sizeof(text), "#! %s/program -a b \nbody\n", dir);
    write_file("script", text, strlen(text), 0700);
    assert_int_equal(foreign_plan(argv, &plan), 0);
    snprintf(want, sizeof(want),
             "%s/qemu-s390x -0 %s/program %s/program -a b %s/script", dir, dir,
             dir, dir);
    expect_argv(&plan, want);
    foreign_plan_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_machine_reads_the_header),
        cmocka_unit_test(test_foreign_find_searches_path),
        cmocka_unit_test(test_foreign_find_takes_an_empty_path_for_here),
        cmocka_unit_test(test_foreign_plan_puts_qemu_in_front),
        cmocka_unit_test(test_foreign_plan_runs_a_scripts_interpreter),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
