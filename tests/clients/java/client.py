"""Java's WatchService: a tree; it adds directories as they come."""
import common
from rules import Open

WATCHES = "a tree; it adds directories as they come"
WAITS = "poll with a socketpair, drained to EAGAIN with reads of 8,192"
READY = "ready"
OPEN = [
    Open(r"^ENTRY_DELETE many/",
         "WatchService ends a key with its directory, and what the program has "
         "not taken by then is gone, natively too (of 1,000 files, 447 were "
         "reported in all of nine native runs)",
         steps=("rm -rf of many files",)),
]


def needs(place):
    return ["java", place.built("java/WatchTree.class")]


def version(_place):
    return common.debian("openjdk-17-jre-headless")


def command(place, root):
    return ["java", "-XX:+UseSerialGC", "-cp", place.built("java"),
            "WatchTree", root]


parse = common.kinds_and_paths
