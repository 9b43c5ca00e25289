"""watchman: a tree, by a subscription."""
import common

WATCHES = "a tree; a server, asked over its socket"
WAITS = "poll with a pipe, reads of 4,456,448; settles for 20 ms"
READY = "ready"
BATCH_END = "end of batch"
FOLLOWS_MAKING = {"change": "new"}


def needs(_place):
    return ["watchman"]


def version(_place):
    return common.debian("watchman")


def command(place, root):
    return ["/usr/bin/python3", place.here("watchman", "watch.py"), root]


parse = common.kinds_and_paths
