"""watchpack, as webpack uses it: a tree."""
import common
from rules import Open

WATCHES = "a tree: a watch for each directory"
WAITS = "epoll, level-triggered, reads of 4,096; looks again after 100 ms"
READY = "ready"
QUIET_S = 0.3
OPEN = [
    Open(r"^(gone|touched) (many|dir-a|fresh|config/\.\.v[12])/",
         "watchpack asks for what was in a directory and for the directory by "
         "lstat in four threads at once; the answers that come after it has "
         "found the directory gone it drops: three at most, of the last files "
         "that went before it",
         steps=("rm -rf of many files", "rm -rf of a tree",
                "remove the old version", "update ..data at once",
                "empty and rmdir"), missing=3),
    Open(r"^gone dir-[bc]/",
         "of a directory that was renamed it asks for the old name twice, for "
         "the parent's event and for the directory's own, in two threads at "
         "once: if the second answer is the first there, it reports all that "
         "was in the directory as gone, natively too (with 50 ms before the "
         "first, six times of six)",
         steps=("rename a watched directory", "move a directory across"),
         beside=True),
]


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "watchpack")


def command(place, root):
    return ["node", place.here("watchpack", "watch.js"), root]


parse = common.kinds_and_paths
