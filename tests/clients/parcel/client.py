"""@parcel/watcher, as VS Code uses it: a tree."""
import common
from rules import Open

WATCHES = "a tree"
WAITS = "poll with a pipe, reads of 8,192; batches of 50 to 500 ms"
READY = "ready"
BATCH_END = "end of batch"
OPEN = [
    Open(r"many/|dir-a/|fresh/|\.\.v[12]/",
         "parcel ends its watch on a directory as soon as its parent tells that "
         "it is gone; without --strict that may be before what was in it",
         steps=("rm -rf of many files", "rm -rf of a tree",
                "remove the old version", "update ..data at once",
                "empty and rmdir")),
]
FOLLOWS_MAKING = {"update": "create"}


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "@parcel/watcher")


def command(place, root):
    return ["node", place.here("parcel", "watch.js"), root]


parse = common.kinds_and_paths
