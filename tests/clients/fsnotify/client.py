"""A recursive watcher on Go's fsnotify; it adds directories as they come."""
from common import debian
from rules import MOVED_OUT_OR_IN

WATCHES = "a tree; it adds directories as they come"
WAITS = "epoll, edge-triggered, reads of 65,536"
READY = "ready"
OPEN = [MOVED_OUT_OR_IN]
# fsnotify names the own event of a moved directory by the path that it knows at
# that moment: the new one, if the program was quicker to add that.
ALIASES = {"RENAME dir-c": "RENAME dir-b",
           "RENAME dir-a/deep": "RENAME dir-c/deep"}


def needs(place):
    return [place.built("go-watch")]


def version(_place):
    return debian("golang-github-fsnotify-fsnotify-dev")


def command(place, root):
    return [place.built("go-watch"), root]


def parse(lines, _root):
    """Lines are OP|path, or OP|OP|path."""
    reports = []
    for line in lines:
        kinds, _, path = line.rpartition("|")
        for each in kinds.split("|"):
            report = f"{each} {path}"
            reports.append(ALIASES.get(report, report))
    return reports
