"""node's fs.watch, recursive."""
import common
from rules import MAKING, Open

WATCHES = "a tree: a watch for each file and directory"
WAITS = "as fs.watch"
READY = "ready"
QUIET_S = 0.1
OPEN = [
    Open(r"^error ENOENT$",
         "node says so of a directory that went as it was about to read it, "
         "natively too"),
    Open(r"^change (?!logs/app\.log$)",
         "a write that follows the making of a file is a change of its own or "
         "not, depending on whether node has its watch on the file by then, "
         "natively too",
         steps=MAKING),
    Open(r"many/|dir-a/|fresh/|\.\.v[12]/",
         "node stops watching what is in a directory as soon as it finds that "
         "gone; what it had not read by then it does not report",
         steps=("rm -rf of many files", "rm -rf of a tree",
                "remove the old version", "update ..data at once",
                "empty and rmdir")),
    Open(r"^change dir-[ab]/across-|^rename logs/app\.log\.1$",
         "a watch on a file stays with it when it is renamed: what node says "
         "of its own MOVE_SELF depends on whether it has found the new name "
         "by then",
         steps=("rename across directories", "create the new log")),
    Open(r"^touched document~$",
         "vim's backup has had that name: if it goes between node's stat and "
         "its watch of it, node keeps the name as known, and never says it is "
         "new, natively too (with 30 ms before each inotify_add_watch, six "
         "times of six)",
         steps=("save as emacs does",)),
    Open(r"project/",
         "node watches files by inode, and natively misses some that git has "
         "replaced: then those that vnotify tells of are more",
         steps=("git checkout", "git checkout back"), beside=True),
    Open(r"^touched project/",
         "and of those that six native runs have told of it may miss some, as "
         "the next native run would: the runs differ in up to 84 of 200",
         steps=("git checkout", "git checkout back"), missing=20),
]


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def command(place, root):
    return ["node", place.here("node-watch", "watch.js"), root, "recursive"]


def parse(lines, root):
    """How often it says something depends on which files it has found."""
    return list(dict.fromkeys(common.kinds_and_paths(lines, root)))
