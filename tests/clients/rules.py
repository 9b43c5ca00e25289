"""What a comparison leaves out, each with its reason.

A client's own rules stand in its client.py; these are of all clients.  The
README lists them as they are.
"""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Open:
    """Reports that may come or not; no steps or modes: in all of them.

    Or that may come beside those that do natively, of which none may miss; or
    of which so many may miss in a step, and no more.
    """
    pattern: str
    reason: str
    steps: tuple = ()
    modes: tuple = ()
    beside: bool = False
    missing: int = 0

    def covers(self, report, step, mode):
        return ((not self.steps or step in self.steps)
                and (not self.modes or mode in self.modes)
                and re.search(self.pattern, report) is not None)


# Reports of clients that print IN_* kinds as they are (or nearly so).
USE_OF_DIRECTORIES = Open(
    r"^(OPEN|ACCESS|CLOSE_NOWRITE) .*\(directory\)$",
    "vnotify's own listings read the directories as well, and would come back "
    "as the guest's: use of a directory is not told. How often a client reads "
    "one is a race natively, too",
    modes=("freebsd", "strict", "macos"))
USE_WITHOUT_NOTES = Open(
    r"^(OPEN|ACCESS|CLOSE_NOWRITE) ",
    "macOS posts no notes for open, read and close; CLOSE_WRITE is told after "
    "a quiet time",
    modes=("macos",))
CLOSE_IS_LATE = Open(
    r"^(IN_)?CLOSE_WRITE |^closed ",
    "where no note tells of a close, CLOSE_WRITE is told when a changed file "
    "was quiet for 50 ms: of a file that was made and closed before it had "
    "a note, and with macOS's notes of every change of content, truncate(2) "
    "as well; by then another step may be on",
    modes=("freebsd", "strict", "macos"), beside=True)
MOVED_OUT_OR_IN = Open(
    r"^((IN_)?(MOVED_FROM|MOVED_TO|DELETE|CREATE)|RENAME|REMOVE) guest$",
    "without EXTEND a name that went is not known to have been renamed, and "
    "one that came may be new, unless an own note has told more",
    steps=("move a file in", "move a file out"), modes=("macos",))

# Clients that ask the file system what an event meant.
MAKING = ("create files", "create files in subdirectories",
          "create files in new directories", "create files below it",
          "create a decoy and a child", "create a file below it",
          "write a temporary file", "copy and truncate the log",
          "create many files")
