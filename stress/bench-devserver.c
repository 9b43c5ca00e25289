/*
 * bench-devserver - the watchers of dev servers, on a tree of their size
 *
 * In each round chokidar, watchpack and @parcel/watcher watch the same
 * generated project (module-tree.h), natively, as guests and, as a floor for
 * those, trapped only (trap-only.c), in an order drawn anew: from fork() until the client says that it is ready, and from the begin
 * of a save until its report has been read.  Between the two the processes are
 * left alone until they have done what they put off until after the start; then
 * what they hold is counted.
 *
 * Must hold: every client gets ready, and reports every save.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devserver-saves.h"
#include "pace.h"
#include "place.h"
#include "process.h"
#include "table.h"
#include "user-watches.h"

enum {
    ROUNDS_MAX = 64,
    WATCHES_ELSE = 60000,
    /* fs.inotify.max_user_watches, as editors advise to set it */
    WATCHES_USUAL = 524288,
    SETTLE_LOOK_NS = 1000 * 1000 * 1000,
    SETTLE_LOOKS = 120,
    SETTLED_LOOKS = 3, /* on end: there are lulls */
};

static const double settled_cpu = 0.1; /* of one, as sweeping may go on */

#define READY_DEADLINE_NS UINT64_C(900000000000)

struct figures {
    double ready_s[ROUNDS_MAX];
    double settled_s[ROUNDS_MAX];
    double p50_ms[SAVE_KINDS + 1][ROUNDS_MAX];
    double p99_ms[SAVE_KINDS + 1][ROUNDS_MAX];
    double saves[SAVE_KINDS + 1]; /* of all rounds */
    double client_mib[ROUNDS_MAX], client_fds[ROUNDS_MAX];
    double vnotify_mib[ROUNDS_MAX], vnotify_fds[ROUNDS_MAX];
};

struct session {
    enum devserver_id client;
    enum variant_id variant;
};

static struct figures all[DEVSERVERS][VARIANTS];
static struct options options = { .rounds = 5, .seconds = 3, .scale = 1,
                                  .subjects = "native,trapped,guest" };
static struct module_tree tree;
static unsigned long failures;

static void note_saves(struct figures *figures, unsigned kind, unsigned round,
                       const struct histogram *took)
{
    figures->p50_ms[kind][round] = (double)histogram_at(took, 50) / 1e6;
    figures->p99_ms[kind][round] = (double)histogram_at(took, 99) / 1e6;
    figures->saves[kind] += (double)took->total;
}

static void note_usage(struct figures *figures, unsigned round,
                       const struct devserver *client)
{
    struct devserver_usage usage;

    devserver_usage(client, &usage);
    figures->client_mib[round] = usage.client.resident_bytes / 1048576;
    figures->client_fds[round] = usage.client.descriptors;
    figures->vnotify_mib[round] = usage.vnotify.resident_bytes / 1048576;
    figures->vnotify_fds[round] = usage.vnotify.descriptors;
}

/* Seconds. */
static double settle(const struct devserver *client)
{
    uint64_t begun = now_ns(), looked = begun, busy = begun;
    struct usage before, usage;

    process_group_usage(client->pid, &usage);
    for (int i = 0, quiet = 0; i < SETTLE_LOOKS; i++) {
        before = usage;
        sleep_until_ns(looked + SETTLE_LOOK_NS);
        process_group_usage(client->pid, &usage);
        if (usage.cpu_ns - before.cpu_ns >
            settled_cpu * (double)(now_ns() - looked)) {
            quiet = 0;
            busy = now_ns();
        } else if (++quiet == SETTLED_LOOKS) {
            return (double)(busy - begun) / 1e9;
        }
        looked = now_ns();
    }
    fprintf(stderr, "vnotify: %s does not come to rest\n", client->name);
    failures++;
    return (double)(busy - begun) / 1e9;
}

static void run_session(struct session session, unsigned round,
                        uint64_t *random)
{
    static struct saves saves;
    static struct devserver client;
    struct figures *figures = &all[session.client][session.variant];
    uint64_t begun;

    user_watches_want(WATCHES_USUAL);
    user_watches_want(tree.files + tree.dirs + WATCHES_ELSE);
    begun = now_ns();
    devserver_start(&client, session.client, session.variant, tree.root);
    if (devserver_ready(&client, begun + READY_DEADLINE_NS)) {
        figures->ready_s[round] = (double)(now_ns() - begun) / 1e9;
        figures->settled_s[round] = settle(&client);
        note_usage(figures, round, &client);
        saves_run(&saves, &tree, &client, options.seconds, random);
        failures += saves.unreported;
        for (unsigned kind = 0; kind < SAVE_KINDS; kind++)
            note_saves(figures, kind, round, &saves.took[kind]);
        note_saves(figures, SAVE_KINDS, round, &saves.all);
    } else {
        failures++;
    }
    devserver_stop(&client);
    printf("round %u: %s %s: ready in %.2f s, %lu saves\n", round + 1,
           client.name, variants[session.variant].name,
           figures->ready_s[round], (unsigned long)saves.all.total);
    fflush(stdout);
}

static unsigned sessions_wanted(struct session *sessions)
{
    enum variant_id ids[VARIANTS];
    unsigned variants_count = variants_wanted(&options, ids), count = 0;

    for (int c = 0; c < DEVSERVERS; c++)
        for (unsigned v = 0; v < variants_count; v++)
            if (options_list_has(options.clients, devserver_names[c]))
                sessions[count++] =
                    (struct session){ (enum devserver_id)c, ids[v] };
    return count;
}

static void run_round(struct session *sessions, unsigned count, unsigned round,
                      uint64_t *random)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = random_below(random, i + 1);
        struct session moved = sessions[i];

        sessions[i] = sessions[at];
        sessions[at] = moved;
    }
    for (unsigned i = 0; i < count; i++)
        run_session(sessions[i], round, random);
}

/* Of the rounds, whose order stays as it is. */
static double middle(const double *figures)
{
    double copy[ROUNDS_MAX];

    memcpy(copy, figures, sizeof(copy));
    return median(copy, options.rounds);
}

/* Of the rounds' pairs. */
static double middle_ratio(const double *mine, const double *native)
{
    double ratios[ROUNDS_MAX];

    for (unsigned i = 0; i < options.rounds; i++)
        ratios[i] = mine[i] / native[i];
    return median(ratios, options.rounds);
}

static void begin_row(struct table *table, int client, int variant)
{
    table_row(table);
    table_text(table, "client", devserver_names[client]);
    table_text(table, "subject", variants[variant].name);
}

static void ready_row(struct table *table, int client, int variant)
{
    const struct figures *mine = &all[client][variant];
    const struct figures *native = &all[client][VARIANT_NATIVE];

    begin_row(table, client, variant);
    table_number(table, "ready s", middle(mine->ready_s));
    table_number(table, "ready / native",
                 middle_ratio(mine->ready_s, native->ready_s));
    table_number(table, "at rest after s", middle(mine->settled_s));
    table_number(table, "client MiB", middle(mine->client_mib));
    table_number(table, "client descriptors", middle(mine->client_fds));
    table_number(table, "vnotify MiB", middle(mine->vnotify_mib));
    table_number(table, "vnotify descriptors", middle(mine->vnotify_fds));
}

static void save_row(struct table *table, int client, int variant,
                     unsigned kind)
{
    const struct figures *mine = &all[client][variant];
    const struct figures *native = &all[client][VARIANT_NATIVE];
    double p50 = middle(mine->p50_ms[kind]);

    begin_row(table, client, variant);
    table_text(table, "save", kind == SAVE_KINDS ? "any" : save_names[kind]);
    table_number(table, "p50 ms", p50);
    table_number(table, "p99 ms", middle(mine->p99_ms[kind]));
    table_number(table, "p50 - native ms", p50 - middle(native->p50_ms[kind]));
    table_number(table, "saves", mine->saves[kind]);
}

static void print_tables(const struct session *sessions, unsigned count)
{
    struct table *ready = table_create("devserver", "until it is ready");
    struct table *saves = table_create("saves", "from a save to its report");

    for (int c = 0; c < DEVSERVERS; c++)
        for (int v = 0; v < VARIANTS; v++)
            for (unsigned i = 0; i < count; i++) {
                if ((int)sessions[i].client != c ||
                    (int)sessions[i].variant != v)
                    continue;
                ready_row(ready, c, v);
                for (unsigned kind = 0; kind <= SAVE_KINDS; kind++)
                    save_row(saves, c, v, kind);
            }
    table_print(ready);
    table_print(saves);
}

int main(int argc, char **argv)
{
    static struct place places[PLACES_MAX];
    struct session sessions[DEVSERVERS * VARIANTS];
    unsigned count;
    uint64_t random;

    options_parse(&options, argc, argv);
    options_check("clients", options.clients, devserver_names, DEVSERVERS,
                  sizeof(devserver_names[0]));
    options.memory_dir = ""; /* dev trees are on disks; --dir may differ */
    if (options.rounds > ROUNDS_MAX)
        options.rounds = ROUNDS_MAX;
    random = options.seed;
    places_open(&options, places);
    devserver_init();
    module_tree_make(&tree, places[0].path, "project", options.scale,
                     options.seed);
    printf("%lu directories, %lu files\n", tree.dirs, tree.files);
    fflush(stdout);
    count = sessions_wanted(sessions);
    for (unsigned round = 0; round < options.rounds; round++)
        run_round(sessions, count, round, &random);
    print_tables(sessions, count);
    module_tree_free(&tree);
    places_close();
    if (tables_write(&options, "bench-devserver") != 0)
        return 125;
    printf("%s\n", failures == 0 ? "ok" : "FAILED");
    return failures == 0 ? 0 : 1;
}
