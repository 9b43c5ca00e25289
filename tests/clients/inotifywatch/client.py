"""`inotifywatch -r`: counts a tree's events, by directory and kind."""
import os

import common
from rules import CLOSE_IS_LATE, Open

WATCHES = "a tree, all events; it adds directories as they come"
WAITS = "select and FIONREAD; signals ask for its table meanwhile"
READY = "ready"
QUIET_S = 0.1
OPEN = [
    CLOSE_IS_LATE,
    Open(r"^(OPEN|ACCESS|CLOSE_NOWRITE) ",
         "use of a directory is not told, and its counts do not tell that "
         "from the use of a file"),
]


def needs(_place):
    return ["inotifywatch", "stdbuf"]


def version(_place):
    return common.debian("inotify-tools")


def prepare(root):
    os.mkdir(f"{root}/markers")


def command(place, root):
    return ["/usr/bin/python3", place.here("inotifywatch", "watch.py"), root]


def mark(root, number):
    """Counted as one more, in a directory of their own."""
    os.mknod(f"{root}/markers/{number}")
    return f".marker-{number}-"


parse = common.kinds_and_paths
