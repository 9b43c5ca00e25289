"""watchpack, as webpack uses it: a tree."""
import common
from rules import Open

WATCHES = "a tree: a watch for each directory"
WAITS = "epoll, level-triggered, reads of 4,096; looks again after 100 ms"
QUIET_S = 0.3
OPEN = [
    Open(r"many/|dir-a/|fresh/|\.\.v[12]/",
         "watchpack ends its watch on a directory as soon as it finds that "
         "gone; what it had not read by then it does not report",
         steps=("rm -rf of many files", "rm -rf of a tree",
                "remove the old version", "update ..data at once",
                "empty and rmdir")),
    Open(r"dir-b/|dir-c/deep/",
         "whether it reports what was in a directory that went depends on "
         "whether it was about to look there",
         steps=("rename a watched directory", "move a directory across")),
]


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "watchpack")


def command(place, root):
    return ["node", place.here("watchpack", "watch.js"), root]


parse = common.kinds_and_paths
