"""What each client prints, made comparable.

A report is a string such as "CREATE dir-a/new-1"; kinds that a later stage of
the project brings (README.md lists them) are left out.  Markers, which the
runner makes to see that a client is up to date, are left out as well.
"""
import os

MARKER = ".marker-"
NAMES = ("CREATE", "DELETE", "MOVED_FROM", "MOVED_TO", "DELETE_SELF",
         "MOVE_SELF", "UNMOUNT", "Q_OVERFLOW")
# fsnotify names the own event of a moved directory by the path that it knows at
# that moment: the new one, if the program was quicker to add that.
FSNOTIFY_ALIASES = {"RENAME dir-c": "RENAME dir-b",
                    "RENAME dir-a/deep": "RENAME dir-c/deep"}


def inotifywait(lines, root):
    """Lines are cookie|directory/|KIND,KIND|name; cookies pair renames."""
    reports, halves = [], {}
    for line in lines:
        fields = line.split("|", 3)
        if len(fields) < 4 or not fields[1]:
            reports.append("says: " + line)  # a complaint, say
            continue
        cookie, directory, kinds, name = fields
        kinds = kinds.split(",")
        kind = next((each for each in kinds if each in NAMES), None)
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


def node(lines, _root):
    """Lines are rename|name or change|name; the latter comes later."""
    return [line.replace("|", " ", 1) for line in lines
            if not line.startswith("change|")]


def fsnotify(lines, _root):
    """Lines are OP|path, or OP|OP|path."""
    reports = []
    for line in lines:
        ops, _, path = line.rpartition("|")
        for each in ops.split("|"):
            if each not in ("WRITE", "CHMOD"):
                report = f"{each} {path}"
                reports.append(FSNOTIFY_ALIASES.get(report, report))
    return reports


def watchdog(lines, _root):
    """Lines are kind|path, kind,dir|path or moved|path|path."""
    reports = []
    for line in lines:
        kind, *paths = line.split("|")
        if kind.split(",")[0] in ("modified", "closed", "opened"):
            continue
        reports.append(f"{kind} {' -> '.join(paths)}")
    return reports
