"""Runs of one client: on the kernel's inotify, and beside them under vnotify."""
import collections
import concurrent.futures
import dataclasses
import os
import re
import shutil
import tempfile
import threading

import ops
import process

# Kinds of which several may be one: a client that reads later finds one event
# where a quicker one found two (the kernel merges equal ones, too).
REPEATS = re.compile(
    r"^(aggregated-change|aggregated-remove|"
    r"MODIFY|ATTRIB|OPEN|ACCESS|CLOSE_WRITE|CLOSE_NOWRITE|change|changed|"
    r"WRITE|CHMOD|modified|closed|opened|ENTRY_MODIFY|IN_MODIFY|IN_ATTRIB|"
    r"IN_OPEN|IN_ACCESS|IN_CLOSE_WRITE|IN_CLOSE_NOWRITE|update|ran|"
    r"attributes-changed|changes-done|touched|says)\b")

# Not compared at speed: the runner itself reads the directories.
USE = re.compile(r"^(IN_)?(OPEN|ACCESS|CLOSE_NOWRITE) ")

NATIVE_TRIES = 3  # some clients do not always survive the script natively
PATIENCE_S = 240  # for native runs that are made again meanwhile


def paths_of(report):
    """The paths in "KIND path" or "KIND path -> path"."""
    words = report.partition(" ")[2].removesuffix(" (directory)")
    return words.split(" -> ")


def is_below(path, directory):
    return directory is not None and path.startswith(directory)


def tree(root):
    """Every path below root, relative to it."""
    found = set()
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            found.add(os.path.relpath(os.path.join(directory, name), root))
    return found


class Judge:
    """What is compared of the reports of one step."""

    def __init__(self, description, step):
        self.description = description
        self.step = step
        self.lasting = None
        self.at_speed = (step in getattr(description, "AT_SPEED", ops.AT_SPEED)
                         and not getattr(description, "AS_IS", False))
        self.rules = [dataclasses.replace(rule, modes=())
                      for rule in getattr(description, "OPEN", [])
                      if rule.beside or not rule.modes and not rule.missing]

    def reports(self, lines, root):
        found = collections.Counter(self.description.parse(lines, root))
        if self.at_speed:
            return self.touched(found)
        for report in found:
            if REPEATS.match(report):
                found[report] = 1
        below = ops.RACING.get(self.step)
        return collections.Counter(
            {report: count for report, count in found.items()
             if not self.follows_making(report, found)
             and not any(is_below(path, below) for path in paths_of(report))})

    def follows_making(self, report, found):
        """A write to what the client reports as new in the same step."""
        follows = getattr(self.description, "FOLLOWS_MAKING", {})
        kind, _, path = report.partition(" ")
        return kind in follows and f"{follows[kind]} {path}" in found

    def left_open(self, report, path):
        """By a rule for its kind, which "touched" no longer tells.

        One that is for the client's reports of all modes, or of what is late.
        """
        return any(rule.covers(report, self.step, None)
                   and not rule.covers("touched " + path, self.step, None)
                   for rule in self.rules)

    def touched(self, found):
        """Which lasting paths are told of at all, by what is not left open."""
        paths = {path for report in found if not USE.match(report)
                 for path in paths_of(report)
                 if not self.left_open(report, path)}
        told = paths & self.lasting if self.lasting is not None else paths
        below = ops.RACING.get(self.step)
        told = {path for path in told if not is_below(path, below)}
        return collections.Counter({"touched " + path: 1 for path in told})


class Run:
    """One run of the client: reports by step, exit status, trouble."""

    def __init__(self, description, place, mode):
        self.description = description
        self.place = place
        self.mode = mode
        self.steps = []
        self.status = "not started"
        self.trouble = []

    def go(self, progress):
        scratch = tempfile.mkdtemp(dir=self.place.scratch)
        root = os.path.join(scratch, "tree")
        client = None
        os.mkdir(root)
        try:
            ops.prepare(root, self.place.repository)
            if hasattr(self.description, "prepare"):
                self.description.prepare(root)
            client = process.Client(self.description, self.place, self.mode,
                                    root)
            client.await_ready()
            client.settle([])
            self.play(client, root, progress)
        except TimeoutError as error:
            self.trouble.append(f"{self.mode}, step {len(self.steps) + 1}: "
                                f"{error}")
            if client.process.poll() is not None:
                self.trouble.append(
                    f"it has ended: {client.process.returncode}")
            self.trouble += client.last[-12:]
        finally:
            if client is not None:
                self.status = client.end()
            shutil.rmtree(scratch, ignore_errors=True)
        return self

    def play(self, client, root, progress):
        for index, (name, operation) in enumerate(self.place.steps):
            judge = Judge(self.description, name)

            def watched(root, judge=judge, operation=operation):
                if not judge.at_speed:
                    operation(root)
                    return
                before = tree(root)
                operation(root)
                judge.lasting = before | tree(root)

            def required(index=index, name=name):
                if self.mode == "native":
                    return process.NOTHING
                return progress.required(index, name, self.mode)

            self.steps.append(client.step(
                watched, required,
                lambda lines, judge=judge: judge.reports(lines, root),
                getattr(self.description, "NUDGE", {}).get(name)))
            if self.mode == "native":
                progress.add(index, self.steps[-1])


class Progress:
    """How far the native runs are.

    What a step must bring under vnotify is known when all native runs have
    been through it.
    """

    def __init__(self, natives, steps, kept):
        self.condition = threading.Condition()
        self.natives = natives
        self.kept = kept
        self.seen = [[] for _ in range(steps)]

    def add(self, index, reports):
        with self.condition:
            self.seen[index].append(reports)
            self.condition.notify_all()

    def give_up(self):
        """One native run less to wait for."""
        with self.condition:
            self.natives -= 1
            self.condition.notify_all()

    def required(self, index, name, mode):
        with self.condition:
            self.condition.wait_for(
                lambda: len(self.seen[index]) >= self.natives, PATIENCE_S)
            seen = list(self.seen[index])
        steady = seen[0] if seen else process.NOTHING
        for reports in seen[1:]:
            steady = steady & reports
        return self.kept(steady, name, mode)


def run_natively(description, place, progress):
    """A run without trouble, if one can be had in a few tries."""
    for tries in range(NATIVE_TRIES):
        run = Run(description, place, "native").go(progress)
        if not run.trouble:
            return run
        print(f"a native run failed, try {tries + 1}: {run.trouble[0]}")
    progress.give_up()
    return run


def run_all(description, place, natives, modes, kept):
    """Native runs, and one in each mode, side by side: two lists."""
    progress = Progress(natives, len(place.steps), kept)
    with concurrent.futures.ThreadPoolExecutor(natives + len(modes)) as pool:
        first = [pool.submit(run_natively, description, place, progress)
                 for _ in range(natives)]
        second = [pool.submit(Run(description, place, mode).go, progress)
                  for mode in modes]
        return ([each.result() for each in first],
                [each.result() for each in second])
