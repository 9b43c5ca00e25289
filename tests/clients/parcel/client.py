"""@parcel/watcher, as VS Code uses it: a tree."""
import common

WATCHES = "a tree"
WAITS = "poll with a pipe, reads of 8,192; batches of 50 to 500 ms"
READY = "ready"
BATCH_END = "end of batch"
FOLLOWS_MAKING = {"update": "create"}


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "@parcel/watcher")


def command(place, root):
    return ["node", place.here("parcel", "watch.js"), root]


parse = common.kinds_and_paths
