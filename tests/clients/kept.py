"""Runs of run-all that are kept, so that an interruption loses nothing.

One file a run, BUILD/clients/runs/CLIENT/NUMBER.json.  They are of one
vnotify and one set of rules: when either is another, a client begins anew.
"""
import glob
import hashlib
import json
import os

import describing

SOURCES = (".py", ".js", ".go", ".c", ".java", "/run")
OWN = ("kept.py", "report.py", "run-all")


def key_of(client, build, size):
    """What a run's outcome depends on, but for chance."""
    own = getattr(describing.describe(client), "RUNNER", None)
    folders = ["", client] + ([os.path.dirname(own[0])] if own else [])
    paths = [os.path.join(build, "vnotify")]
    for folder in folders:
        here = glob.glob(os.path.join(describing.HERE, folder, "*"))
        paths += sorted(path for path in here if path.endswith(SOURCES)
                        and os.path.basename(path) not in OWN)
    whole = hashlib.sha256(size.encode())
    for path in paths:
        with open(path, "rb") as file:
            whole.update(hashlib.sha256(file.read()).digest())
    return whole.hexdigest()


class Kept:
    """The runs in a row of one client that showed no difference."""

    def __init__(self, client, options):
        self.size = "short" if options.short else "full"
        self.folder = os.path.join(options.build, "clients", "runs", self.size,
                                   client)
        self.result = os.path.join(options.build, "clients", "results",
                                   client + ".json")
        self.key = key_of(client, options.build, self.size)
        os.makedirs(self.folder, exist_ok=True)

    def paths(self):
        return glob.glob(os.path.join(glob.escape(self.folder),
                                      "[0-9]*.json"))

    def count(self):
        """How many there are; those of another key are forgotten."""
        for path in self.paths():
            with open(path, encoding="utf-8") as file:
                if json.load(file)["key"] != self.key:
                    os.unlink(path)
        return len(self.paths())

    def add(self, seconds):
        with open(self.result, encoding="utf-8") as file:
            result = json.load(file)
        number = len(self.paths()) + 1
        record = dict(result, key=self.key, seconds=round(seconds), runs=number)
        path = os.path.join(self.folder, f"{number}.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.rename(path + ".new", path)

    def fail(self, output):
        """They are in a row no more; what was seen is kept to be looked at."""
        for path in self.paths():
            os.unlink(path)
        number = len(glob.glob(os.path.join(glob.escape(self.folder),
                                            "failed-*"))) + 1
        path = os.path.join(self.folder, f"failed-{number}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(output)
        return path


def newest(options, client):
    """The record of a client's last run at full size, or None."""
    folder = os.path.join(options.build, "clients", "runs", "full", client)
    records = []
    for path in glob.glob(os.path.join(glob.escape(folder), "[0-9]*.json")):
        with open(path, encoding="utf-8") as file:
            records.append(json.load(file))
    return max(records, key=lambda record: record["runs"], default=None)
