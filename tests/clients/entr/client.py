"""entr: runs a command when one of some files changes."""
import os

import common
import documents
from rules import Open

WATCHES = "some files"
WAITS = "poll, reads of 1,024"
NOT_NATIVELY = (
    "while its command runs entr misses changes: a step is one change, and a "
    "marker is made when entr is quiet, again if it was missed")
STILL_S = 0.2
QUIET_S = 0.2
REMARK_S = 1
OPEN = [
    Open(r"^ran ",
         "entr waits for CLOSE_WRITE, and truncate(2) closes nothing; with "
         "macOS's notes CLOSE_WRITE is told when a changed file was quiet for "
         "50 ms",
         steps=("truncate a document", "truncate a file below"),
         modes=("macos",), beside=True),
]


def needs(_place):
    return ["entr"]


def version(_place):
    return common.debian("entr")


def listing(root):
    return root + "-outside/files"


def prepare(root):
    documents.write(f"{root}/steady", "")
    with open(listing(root), "w", encoding="utf-8") as file:
        for name in ("document", "logs/app.log", "dir-a/old-1", "steady"):
            print(os.path.join(root, name), file=file)


def steps():
    return (documents.changes("a document", "document")
            + documents.changes("a file below", "dir-a/old-1")
            + [("rotate a log",
                lambda root: documents.rotate(f"{root}/logs/app.log")),
               ("append to the log",
                lambda root: documents.append(f"{root}/logs/app.log")),
               ("chmod of a document",
                lambda root: os.chmod(f"{root}/document", 0o755))])


def command(_place, root):
    tell = ('case $0 in */steady) tail -n 1 "$0" ;; *) echo "ran|$0" ;; esac')
    return ["sh", "-c", 'exec entr -n -p sh -c "$1" /_ <"$0"',
            listing(root), tell]


def mark(root, number):
    """A line in a file that nothing else happens to."""
    text = f".marker-{number}-"
    documents.append(f"{root}/steady", text + "\n")
    return text


def parse(lines, root):
    return [line.replace("|", " ", 1).replace(root + os.sep, "")
            for line in lines]
