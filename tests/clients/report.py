"""Writes README.md: what is compared, of which clients, with which result."""
HEAD = """\
# Real clients

This page is written by `run-all`.

`run CLIENT --build DIR` gives an unmodified program the operations of `ops.py`,
or of `documents.py` (one change each) if it runs a command, step by step, on
the kernel's inotify (three times: what is not the same in all three is
"unsteady", and may come or not) and under `vnotify run` with each set of notes,
all side by side. It prints a table of reports by step and fails on any report
that never came (`-`) or never comes natively (`+`). Where something differs, up
to six more native runs follow: what one of them shows, too, is no difference.
`--show` prints what is reported natively. Each client is described by its
`client.py`; `ctest -L clients` runs them all, `run-all` at full size and five
times each.

After each step the runner makes a marker and reads until the client has
reported it and, where a client has timers of its own, has been quiet for
longer than these; under vnotify it then waits, up to a deadline, for the
reports that are still missing. What a client does not always report is not
waited for: if it comes one step late, it is known.

Most steps leave nothing that comes and goes within one step. The others are
done as fast as the programs do them that they stand for (editors, the kubelet,
git): of these it is compared which of the paths that were there before or are
there after something is reported of. Several reports of one kind of content
(modify, attributes, open, ...) of one path count as one: the kernel merges
equal events as well.

`fsnotify/churn.go` compares nothing: many goroutines make, use and close
watchers while the Go runtime and the program itself send SIGURG, and each call
must succeed and each file be reported.

Clients named `-aarch64` are dynamic programs of Debian's arm64 packages, or
built against them, that QEMU's user mode runs, natively and under vnotify. What
is left open for a client is so for that as well.

`pages/run vite|webpack` has a dev server and a page of it in headless Chromium:
modules are saved in three ways, created, deleted and renamed, and the page must
show it, without a reload where there is none natively. Before and after the
first save, vite under vnotify:

![before](../../docs/clients/page-before.png)
![after](../../docs/clients/page-after.png)

`pipeline/run` has a small project's whole pipeline as one guest (npm ci, tsc,
a build by vite, tests by vitest, and its watch mode while a source is broken
and mended): exit status and output must be as natively.

## Clients

"Reports" are those that came in all native runs of the last run; "runs" is how
many runs in a row, at full size and in all modes, showed no difference beside
what a rule below covers.

| client | version | how it watches | read by | steps | reports | runs | differences |
|---|---|---|---|---|---|---|---|
"""
NOT_NATIVELY = """
## What does not work natively

"""
RULES = """
## Left open, and why

In all clients: reports below a directory that is made and filled in one step
(`mkdir -p with files`, the two steps that publish a version): a race in every
client between the new directory and its watch, natively too; and the order of
reports within one step: without `--strict`, order holds for each directory. A
rename across directories may be told in halves, as an end and a beginning: they
are waited for 5 ms at most while a slow directory is under way, lest that hold
up others, and else 100 ms, which a busy machine may take longer for.

"Beside" means that such a report may come more often than natively, but none
may miss; "3 at most", that so many of a step's may miss, and no more.

| client | reports | where | why |
|---|---|---|---|
"""


def cell(text):
    return text.replace("|", "\\|")


def where(rule):
    parts = []
    if rule.modes:
        parts.append(", ".join(rule.modes))
    if rule.steps:
        parts.append(f"{len(rule.steps)} steps")
    return "; ".join(parts) or "everywhere"


def client_row(client, description, result):
    if result is None:
        return (f"| {client} | not run | {description.WATCHES} "
                f"| {description.WAITS} | | | | |\n")
    return (f"| {client} | {result['version']} | {description.WATCHES} "
            f"| {description.WAITS} | {result['steps']} | {result['native']} "
            f"| {result['runs']} | {result['differences']} |\n")


def rule_rows(client, description):
    for rule in getattr(description, "OPEN", []):
        beside = ", beside" if rule.beside else ""
        if rule.missing:
            beside = f", {rule.missing} at most"
        yield (f"| {client} | `{cell(rule.pattern)}`{beside} | {where(rule)} "
               f"| {rule.reason} |\n")
    for kind, making in getattr(description, "FOLLOWS_MAKING", {}).items():
        yield (f"| {client} | `{kind}` after `{making}` | everywhere | a write "
               "that follows the making of a file is a report of its own or "
               "not, depending on whether the client has looked at the file "
               "by then, natively too |\n")


def write(path, clients):
    """README.md as a whole, of {client: (description, last result)}."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for client, (description, result) in clients.items():
            file.write(client_row(client, description, result))
        file.write(NOT_NATIVELY)
        for client, (description, _) in clients.items():
            if hasattr(description, "NOT_NATIVELY"):
                file.write(f"- {client}: {description.NOT_NATIVELY}.\n")
        file.write(RULES)
        for client, (description, _) in clients.items():
            if not hasattr(description, "NATIVE"):  # they are the other's
                file.writelines(rule_rows(client, description))
