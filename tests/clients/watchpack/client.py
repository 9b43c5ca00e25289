"""watchpack, as webpack uses it: a tree."""
import common

WATCHES = "a tree: a watch for each directory"
WAITS = "epoll, level-triggered, reads of 4,096; looks again after 100 ms"
QUIET_S = 0.3
BY_PATH = ("whether a path is changed, removed, or both, in which order, "
           "depends on when it looks at the file system")


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "watchpack")


def command(place, root):
    return ["node", place.here("watchpack", "watch.js"), root]


parse = common.kinds_and_paths
