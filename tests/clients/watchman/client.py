"""watchman: a tree, by a subscription."""
import common
from rules import Open

WATCHES = "a tree; a server, asked over its socket"
WAITS = "poll with a pipe, reads of 4,456,448; settles for 20 ms"
READY = "ready"
BATCH_END = "end of batch"
FOLLOWS_MAKING = {"change": "new"}
OPEN = [
    Open(r"^directory-change ",
         "the times of a directory change with its entries; whether watchman "
         "says so depends on whether it looks at it, too"),
]


def needs(_place):
    return ["watchman"]


def version(_place):
    return common.debian("watchman")


def command(place, root):
    return ["/usr/bin/python3", place.here("watchman", "watch.py"), root]


parse = common.kinds_and_paths
