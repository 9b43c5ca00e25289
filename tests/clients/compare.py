"""One client on the kernel's inotify and under vnotify: what differs."""
import collections
import json

import process
import runs

# Where something differs, as many native runs again, so often: what a native
# run shows, too, is no difference.
MORE = 2


class Comparison:
    """Native runs, and each mode's beside them."""

    def __init__(self, description, place, rules):
        self.description = description
        self.place = place
        self.rules = rules
        self.names = [name for name, _ in place.steps]
        self.nothing = [process.NOTHING] * len(self.names)
        self.always, self.ever = None, list(self.nothing)
        self.statuses = set()
        self.natives = 0
        self.differences = 0

    def kept(self, counter, name, mode, beside=False):
        """Without what a rule leaves open, or lets come beside the others."""
        rules = [rule for rule in self.rules
                 if rule.beside == beside and not rule.missing]
        return collections.Counter(
            {report: count for report, count in counter.items()
             if not any(rule.covers(report, name, mode) for rule in rules)})

    def learn(self, native_runs):
        """What is reported natively: in each run, or in any."""
        for run in native_runs:
            self.complain(run)
            steps = run.steps + self.nothing[len(run.steps):]
            self.statuses.add(run.status)
            self.always = steps if self.always is None else [
                old & new for old, new in zip(self.always, steps)]
            self.ever = [old | new for old, new in zip(self.ever, steps)]
        self.natives += len(native_runs)

    def complain(self, run):
        for line in run.trouble:
            print(line)
            self.differences += 1

    def judge(self, natives, modes):
        native, under = runs.run_all(self.description, self.place, natives,
                                     modes, self.kept)
        self.learn(native)
        for run in under:
            self.complain(run)
        tables = [self.compare(run) for run in under]
        for _ in range(MORE):
            if self.differences or not any(table[1] for table in tables):
                break
            print(f"{sum(table[1] for table in tables)} differences from "
                  f"{self.natives} native runs: {natives} more")
            self.learn(runs.run_all(self.description, self.place, natives, [],
                                    self.kept)[0])
            tables = [self.compare(run) for run in under]
        for lines, differences in tables:
            print("\n".join(lines))
            self.differences += differences

    def compare(self, run):
        """The lines of one table, and how many differences it shows."""
        lines = [f"\n{run.mode:32}  native  unsteady  seen  missing  extra"]
        seen = run.steps + self.nothing[len(run.steps):]
        differences = 0
        for index, name in enumerate(self.names):
            always = self.kept(self.always[index], name, run.mode)
            ever = self.kept(self.ever[index], name, run.mode)
            told = self.kept(seen[index], name, run.mode)
            missing = always - told
            extra = self.kept(told - ever, name, run.mode, beside=True)
            known = told_in_halves(missing, extra)
            known += self.let_miss(missing, name, run.mode)
            if index > 0:
                before = seen[index - 1]
                known += told_late(extra, self.ever[index - 1] - before
                                   | self.follow_making(before))
            lines.append(
                f"{name:32}  {always.total():6}"
                f"  {(ever - always).total():8}  {told.total():4}"
                f"  {missing.total():7}  {extra.total():5}")
            lines += known + listed(missing, "-") + listed(extra, "+")
            differences += missing.total() + extra.total()
        if run.status not in self.statuses:
            lines.append(f"exit status after SIGTERM: {run.status}, "
                         f"natively {self.statuses}")
            differences += 1
        return lines, differences

    def let_miss(self, missing, name, mode):
        """Takes out as many as a rule lets miss."""
        known = []
        for rule in self.rules:
            some = [report for report in missing
                    if rule.missing and rule.covers(report, name, mode)]
            for report in some[:rule.missing]:
                known.append(f"      known: {report}, that may miss")
                del missing[report]
        return known

    def follow_making(self, told):
        """Writes that may be told of what was told as new (Judge)."""
        follows = getattr(self.description, "FOLLOWS_MAKING", {})
        return collections.Counter(
            {f"{kind} {path}": 1 for kind, making in follows.items()
             for path in [report.partition(" ")[2] for report in told
                          if report.startswith(making + " ")]})

    def show_native(self):
        for name, steady, any_time in zip(self.names, self.always, self.ever):
            print("\n".join([name] + listed(steady, " ")
                            + listed(any_time - steady, "?")))

    def save(self, path, client, version, modes):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"client": client, "version": version, "modes": modes,
                       "native": sum(each.total() for each in self.always),
                       "steps": sum(1 for each in self.always if each),
                       "differences": self.differences}, file)


def told_in_halves(missing, extra):
    """Takes out a rename that was told as an end and a beginning: its halves
    are waited for 5 to 100 ms at most, which a busy machine may take longer
    for."""
    known = []
    for report in list(missing):
        paths = runs.paths_of(report)
        halves = [each for path in paths for each in extra
                  if runs.paths_of(each) == [path]]
        if len(paths) == 2 and {runs.paths_of(each)[0]
                                for each in halves} == set(paths):
            known.append(f"      known: {report}, told in halves")
            del missing[report]
            for each in halves:
                del extra[each]
    return known


def told_late(extra, untold):
    """Takes out what the step before may bring natively and did not: nobody
    waits for what does not always come, and it may come after the marker."""
    known = []
    for report in sorted(extra & untold):
        known.append(f"      known: {report}, of the step before")
        extra[report] -= min(extra[report], untold[report])
    extra += process.NOTHING  # without those that are 0 now
    return known


def listed(counter, sign):
    return [f"      {sign} {report}" + (f"  x{count}" if count > 1 else "")
            for report, count in sorted(counter.items())]
