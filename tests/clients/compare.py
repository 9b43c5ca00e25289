"""One client on the kernel's inotify and under vnotify: what differs."""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import tempfile

import ops
import process

# Kinds of which several may be one: a client that reads later finds one event
# where a quicker one found two (the kernel merges equal ones, too).
REPEATS = re.compile(
    r"^(MODIFY|ATTRIB|OPEN|ACCESS|CLOSE_WRITE|CLOSE_NOWRITE|change|changed|"
    r"WRITE|CHMOD|modified|closed|opened|ENTRY_MODIFY|IN_MODIFY|IN_ATTRIB|"
    r"IN_OPEN|IN_ACCESS|IN_CLOSE_WRITE|IN_CLOSE_NOWRITE|update|ran|"
    r"attributes-changed|changes-done|touched|says)\b")

# Not compared at speed: the runner itself reads the directories.
USE = re.compile(r"^(IN_)?(OPEN|ACCESS|CLOSE_NOWRITE) ")


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

    def reports(self, lines, root):
        found = collections.Counter(self.description.parse(lines, root))
        as_is = getattr(self.description, "AS_IS", False)
        if (self.step in ops.AT_SPEED and not as_is
                or getattr(self.description, "BY_PATH", None)):
            return self.touched(found)
        for report in found:
            if REPEATS.match(report):
                found[report] = 1
        below = ops.RACING.get(self.step)
        return collections.Counter(
            {report: count for report, count in found.items()
             if not any(is_below(path, below) for path in paths_of(report))})

    def touched(self, found):
        """Which lasting paths are told of at all, by what is not late."""
        late = [rule for rule in getattr(self.description, "OPEN", [])
                if rule.beside
                and (not rule.steps or self.step in rule.steps)]
        paths = {path for report in found if not USE.match(report)
                 and not any(re.search(rule.pattern, report) for rule in late)
                 for path in paths_of(report)}
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

    def go(self, required):
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
            self.play(client, root, required)
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

    def play(self, client, root, required):
        for index, (name, operation) in enumerate(self.place.steps):
            judge = Judge(self.description, name)

            def watched(root, judge=judge, operation=operation):
                if judge.step not in ops.AT_SPEED:
                    operation(root)
                    return
                before = tree(root)
                operation(root)
                judge.lasting = before | tree(root)

            self.steps.append(client.step(
                watched, required[index],
                lambda lines, judge=judge: judge.reports(lines, root)))

NATIVE_TRIES = 3  # some clients do not always survive the script natively


class Comparison:
    """Native runs side by side, then each mode against them."""

    def __init__(self, description, place, rules):
        self.description = description
        self.place = place
        self.rules = rules
        self.names = [name for name, _ in place.steps]
        self.nothing = [process.NOTHING] * len(self.names)
        self.always, self.ever = None, list(self.nothing)
        self.statuses = set()
        self.differences = 0
        self.native_reports = 0

    def run_all(self, modes, required):
        with concurrent.futures.ThreadPoolExecutor(len(modes)) as pool:
            runs = [Run(self.description, self.place, mode) for mode in modes]
            return list(pool.map(lambda pair: pair[0].go(pair[1]),
                                 zip(runs, required)))

    def learn(self, natives):
        runs = self.run_all(["native"] * natives, [self.nothing] * natives)
        for tries in range(NATIVE_TRIES):
            lost = [run for run in runs if run.trouble]
            if not lost:
                break
            print(f"{len(lost)} native runs failed, try {tries + 2}: "
                  f"{lost[0].trouble[0]}")
            runs = [run for run in runs if not run.trouble] + self.run_all(
                ["native"] * len(lost), [self.nothing] * len(lost))
        for run in runs:
            self.complain(run)
            steps = run.steps + self.nothing[len(run.steps):]
            self.statuses.add(run.status)
            self.always = steps if self.always is None else [
                old & new for old, new in zip(self.always, steps)]
            self.ever = [old | new for old, new in zip(self.ever, steps)]
        self.native_reports = sum(each.total() for each in self.always)

    def complain(self, run):
        for line in run.trouble:
            print(line)
            self.differences += 1

    def kept(self, counter, name, mode, beside=False):
        """Without what a rule leaves open, or lets come beside the others."""
        rules = [rule for rule in self.rules if rule.beside == beside]
        return collections.Counter(
            {report: count for report, count in counter.items()
             if not any(rule.covers(report, name, mode) for rule in rules)})

    def judge(self, modes):
        required = [[self.kept(counter, name, mode) for name, counter
                     in zip(self.names, self.always)] for mode in modes]
        for run, expected in zip(self.run_all(modes, required), required):
            self.complain(run)
            self.compare(run, expected)
            if run.status not in self.statuses:
                print(f"exit status after SIGTERM: {run.status}, "
                      f"natively {self.statuses}")
                self.differences += 1

    def compare(self, run, always):
        """Prints one table."""
        print(f"\n{run.mode:32}  native  unsteady  seen  missing  extra")
        seen = run.steps + self.nothing[len(run.steps):]
        for index, name in enumerate(self.names):
            ever = self.kept(self.ever[index], name, run.mode)
            told = self.kept(seen[index], name, run.mode)
            missing = always[index] - told
            extra = self.kept(told - ever, name, run.mode, beside=True)
            print(f"{name:32}  {always[index].total():6}"
                  f"  {(ever - always[index]).total():8}  {told.total():4}"
                  f"  {missing.total():7}  {extra.total():5}")
            show(missing, "-")
            show(extra, "+")
            told_in_halves(missing, extra)
            self.differences += missing.total() + extra.total()

    def show_native(self):
        for name, steady, any_time in zip(self.names, self.always, self.ever):
            print(name)
            show(steady, " ")
            show(any_time - steady, "?")

    def save(self, path, client, version, modes):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"client": client, "version": version, "modes": modes,
                       "native": self.native_reports,
                       "steps": sum(1 for each in self.always if each),
                       "differences": self.differences}, file)


def told_in_halves(missing, extra):
    """Takes out a rename that was told as an end and a beginning: its halves
    are waited for 5 ms at most, which a busy machine may take longer for."""
    for report in list(missing):
        paths = paths_of(report)
        halves = [each for path in paths for each in extra
                  if paths_of(each) == [path]]
        if len(paths) == 2 and {paths_of(each)[0] for each in halves} == set(
                paths):
            print(f"      known: {report}, told in halves")
            del missing[report]
            for each in halves:
                del extra[each]


def show(counter, sign):
    for report, count in sorted(counter.items()):
        print(f"      {sign} {report}" + (f"  x{count}" if count > 1 else ""))
