"""`tail -F` of a log that is rotated and a document that editors save."""
import os

import ops
from common import debian
from rules import Open

# Not "save as VS Code does": tail shows the text, or the end of it, depending on
# whether it looks between the truncation and the write.
WATCHES = "two files and their directories"
WAITS = "poll without an end, reads of 42"
STEPS = ("create files", "save by rename over", "write a temporary file",
         "save as vim does",
         "save as JetBrains' editors do", "save as emacs does",
         "move a log away", "create the new log", "append to the new log",
         "copy and truncate the log")

AS_IS = True
OPEN = [
    Open(r"^says ",
         "whether tail says that a file was replaced, truncated or gone for a "
         "while depends on when it looks; its text must come",
         steps=tuple(ops.AT_SPEED) + ("copy and truncate the log",)),
]


def needs(_place):
    return ["tail"]


def version(_place):
    return debian("coreutils")


def prepare(root):
    with open(f"{root}/steady", "w", encoding="utf-8"):
        pass


def command(_place, root):
    return ["tail", "-q", "-F", f"{root}/document", f"{root}/logs/app.log",
            f"{root}/steady"]


def mark(root, number):
    """A line in a file that nothing else happens to."""
    text = f".marker-{number}-"
    with open(f"{root}/steady", "a", encoding="utf-8") as file:
        file.write(text + "\n")
    return text


def parse(lines, root):
    """What it says of files; and the text of them, as it is."""
    return [("says " if line.startswith("tail: ") else "shows ")
            + line.replace(root + os.sep, "") for line in lines]
