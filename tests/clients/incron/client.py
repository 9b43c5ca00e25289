"""incrond: a tree; a command for each event."""
import common
from rules import CLOSE_IS_LATE, MOVED_OUT_OR_IN

WATCHES = "a tree"
NOT_NATIVELY = (
    "after a mkdir in a directory that it watches, incrond takes its watch off "
    "(inotify_rm_watch), adds it again, reads IN_IGNORED and runs no command "
    "for that directory any more, seen in 9 of 9 native runs: so no step makes "
    "a directory")
STEPS = ("create files", "create an empty file", "append", "truncate", "chmod",
         "set times", "rename within a directory", "rename across directories",
         "move a file in", "move a file out", "write a temporary file",
         "save by rename over", "save as vim does", "save as VS Code does",
         "save as JetBrains' editors do", "save as emacs does", "delete files")
WAITS = "poll, reads of 32,768; a process for each"
QUIET_S = 0.3
OPEN = [CLOSE_IS_LATE, MOVED_OUT_OR_IN]


def needs(_place):
    return ["/usr/sbin/incrond"]


def version(_place):
    return common.debian("incron")


def command(place, root):
    return ["/usr/bin/python3", place.here("incron", "watch.py"), root]


def parse(lines, _root):
    """Lines are IN_KIND|path or IN_KIND,IN_ISDIR|path."""
    return [line.removeprefix("IN_").replace(",IN_ISDIR", "")
            .replace("|", " ", 1) for line in lines]
