"""pyinotify: a tree, all events."""
from common import debian
from rules import (CLOSE_IS_LATE, MOVED_OUT_OR_IN, USE_OF_DIRECTORIES,
                   USE_WITHOUT_NOTES)

WATCHES = "a tree, all events"
WAITS = "poll, FIONREAD, and a read of exactly that many"
READY = "ready"
OPEN = [USE_OF_DIRECTORIES, USE_WITHOUT_NOTES, CLOSE_IS_LATE,
        MOVED_OUT_OR_IN]


def needs(_place):
    return ["/usr/lib/python3/dist-packages/pyinotify.py"]


def version(_place):
    return debian("python3-pyinotify")


def command(place, root):
    return ["/usr/bin/python3", place.here("pyinotify", "watch.py"), root]


def parse(lines, _root):
    """Lines are IN_KIND|path or IN_KIND|IN_ISDIR|path."""
    reports = []
    for line in lines:
        kinds, _, path = line.rpartition("|")
        kind, _, directory = kinds.partition("|")
        suffix = " (directory)" if directory else ""
        reports.append(f"{kind.removeprefix('IN_')} {path}{suffix}")
    return reports
