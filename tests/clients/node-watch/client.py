"""node's fs.watch on one directory."""
import common

WATCHES = "one directory"
WAITS = "epoll, level-triggered, reads of 4,096"
READY = "ready"


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def command(place, root):
    return ["node", place.here("node-watch", "watch.js"), root]


parse = common.kinds_and_paths
