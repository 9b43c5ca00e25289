"""Java's WatchService: a tree; it adds directories as they come."""
import common

WATCHES = "a tree; it adds directories as they come"
WAITS = "poll with a socketpair, drained to EAGAIN with reads of 8,192"
READY = "ready"
# The writes that it lost it cannot find by looking.
FOLLOWS_MAKING = {"ENTRY_MODIFY": "ENTRY_CREATE"}


def needs(place):
    return ["java", place.built("java/WatchTree.class")]


def version(_place):
    return common.debian("openjdk-17-jre-headless")


def command(place, root):
    return ["java", "-XX:+UseSerialGC", "-cp", place.built("java"),
            "WatchTree", root]


parse = common.kinds_and_paths
