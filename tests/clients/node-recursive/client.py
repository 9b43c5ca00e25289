"""node's fs.watch, recursive."""
import common
from rules import Open

WATCHES = "a tree: a watch for each file and directory"
WAITS = "as fs.watch"
READY = "ready"
QUIET_S = 0.1
BY_PATH = ("whether it is rename, change, or both depends on when node looks "
           "at the file system")
OPEN = [
    Open(r"many/|dir-a/|\.\.v[12]/",
         "node stops watching what is in a directory as soon as it finds that "
         "gone; what it had not read by then it does not report",
         steps=("rm -rf of many files", "rm -rf of a tree",
                "remove the old version", "update ..data at once",
                "empty and rmdir")),
    Open(r"project/",
         "node watches files by inode, and natively misses some that git has "
         "replaced: then those that vnotify tells of are more",
         steps=("git checkout", "git checkout back"), beside=True),
]


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def command(place, root):
    return ["node", place.here("node-watch", "watch.js"), root, "recursive"]


parse = common.kinds_and_paths
