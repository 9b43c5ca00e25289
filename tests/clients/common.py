"""What several descriptions of clients share."""
import json
import os
import subprocess


def debian(package):
    """The version of an installed Debian package."""
    seen = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return seen.stdout or "?"


def npm(place, package):
    """The version of a package that npm ci has fetched."""
    path = os.path.join(place.modules, package, "package.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)["version"]


def node():
    return subprocess.run(["node", "--version"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def mark_project(number):
    """What has a client look again: a marker in each directory of a checkout."""
    def mark(root):
        for directory, directories, _ in os.walk(f"{root}/project"):
            for name in directories:
                os.mknod(os.path.join(directory, name, f".marker-{number}"))
    return mark


# chokidar counts what comes while it reads a directory, to read it again after;
# when that reading takes longer than a second it forgets the count, and what it
# has not seen by then it reports with the next change there.  (Natively as well:
# of 90,000 files in a directory, one that was made 0.4 s after another is not
# reported.)  So each directory gets a next change.
CHOKIDAR_NUDGE = {"git checkout": mark_project(1),
                  "git checkout back": mark_project(2)}


def kinds_and_paths(lines, _root):
    """Lines are kind|path."""
    return [line.replace("|", " ", 1) for line in lines]
