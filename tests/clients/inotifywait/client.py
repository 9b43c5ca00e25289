"""`inotifywait -m -r`: a tree, all events."""
import os

from common import debian
from rules import (CLOSE_IS_LATE, MOVED_OUT_OR_IN, USE_OF_DIRECTORIES,
                   USE_WITHOUT_NOTES)

WATCHES = "a tree, all events"
WAITS = "select and FIONREAD"
READY = "Watches established"
OPEN = [USE_OF_DIRECTORIES, USE_WITHOUT_NOTES, CLOSE_IS_LATE,
        MOVED_OUT_OR_IN]
KINDS = ("CREATE", "DELETE", "MOVED_FROM", "MOVED_TO", "DELETE_SELF",
         "MOVE_SELF", "UNMOUNT", "Q_OVERFLOW", "MODIFY", "ATTRIB", "OPEN",
         "ACCESS", "CLOSE_WRITE", "CLOSE_NOWRITE")


def needs(_place):
    return ["inotifywait"]


def version(_place):
    return debian("inotify-tools")


def command(_place, root):
    return ["inotifywait", "-m", "-r", "--format", "%c|%w|%e|%f", root]


def parse(lines, root):
    """Lines are cookie|directory/|KIND,KIND|name; cookies pair renames."""
    reports, halves = [], {}
    for line in lines:
        fields = line.split("|", 3)
        if len(fields) < 4 or not fields[1]:
            reports.append("says: " + line)  # a complaint, say
            continue
        cookie, directory, kinds, name = fields
        kinds = kinds.split(",")
        kind = next((each for each in kinds if each in KINDS), None)
        if kind is None:
            continue
        path = os.path.relpath(os.path.join(directory, name), root)
        suffix = " (directory)" if "ISDIR" in kinds else ""
        if kind == "MOVED_FROM":
            halves[cookie] = (len(reports), path)
        if kind == "MOVED_TO" and cookie in halves:
            index, old = halves.pop(cookie)
            reports[index] = f"MOVED {old} -> {path}{suffix}"
            continue
        reports.append(f"{kind} {path}{suffix}")
    return reports
