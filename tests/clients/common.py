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


def kinds_and_paths(lines, _root):
    """Lines are kind|path."""
    return [line.replace("|", " ", 1) for line in lines]
