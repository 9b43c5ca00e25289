"""chokidar, a tree."""
import common

WATCHES = "a tree: a watch for each file and directory"
WAITS = "epoll, level-triggered, reads of 4,096; timers of up to 100 ms"
READY = "ready"
QUIET_S = 0.3
NUDGE = common.CHOKIDAR_NUDGE
FOLLOWS_MAKING = {"change": "add"}


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "chokidar3")


def command(place, root):
    return ["node", place.here("chokidar", "watch.js"), "chokidar3", root]


parse = common.kinds_and_paths
