"""`gio monitor` on one directory, and on a file."""
import os

from common import debian
from rules import Open

WATCHES = "a directory"
WAITS = "poll in a worker thread, reads of 4,096; limits changes to one in 0.8 s"
QUIET_S = 0.2
OPEN = [
    Open(r"^(changed|attributes-changed) ",
         "GLib limits how often it says so of one file: one that was held back "
         "may come in the next step",
         modes=("freebsd", "strict", "macos"), beside=True),
    Open(r"^changes-done ",
         "GLib says it of itself, some time after a change without a close"),
]


def needs(_place):
    return ["gio", "stdbuf"]


def version(_place):
    return debian("libglib2.0-bin")


def command(_place, root):
    return ["stdbuf", "-oL", "gio", "monitor", "-d", root]


def parse(lines, root):
    """Lines are `MONITORED: PATH: KIND` or `...: PATH: renamed to PATH`."""
    reports = []
    for line in lines:
        words = line.replace(root + os.sep, "").split(": ", 2)
        if len(words) < 3:
            reports.append("says: " + line)
        elif words[2].startswith("renamed to "):
            reports.append(f"renamed {words[1]} -> {words[2][11:]}")
        else:
            reports.append(f"{words[2].replace(' ', '-')} {words[1]}")
    return reports
