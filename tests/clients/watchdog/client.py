"""Python's watchdog: a tree."""
from common import debian
from rules import CLOSE_IS_LATE, Open

WATCHES = "a tree"
WAITS = "blocking reads of 81,920 in a thread; pairs cookies with a delay"
READY = "ready"
OPEN = [
    CLOSE_IS_LATE,
    Open(r"^modified .*\(directory\)$",
         "watchdog says it itself with each close of a child",
         modes=("freebsd", "strict", "macos"), beside=True),
]


def needs(_place):
    return ["/usr/lib/python3/dist-packages/watchdog"]


def version(_place):
    return debian("python3-watchdog")


def command(place, root):
    return ["/usr/bin/python3", place.here("watchdog", "watch.py"), root]


def parse(lines, _root):
    """Lines are kind|path, kind,dir|path or moved|path|path."""
    reports = []
    for line in lines:
        kind, *paths = line.split("|")
        kind, _, directory = kind.partition(",")
        suffix = " (directory)" if directory else ""
        reports.append(f"{kind} {' -> '.join(paths)}{suffix}")
    return reports
