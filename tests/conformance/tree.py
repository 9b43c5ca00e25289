"""What exists while a script runs, followed by its operations.

Only what succeeded natively counts.  Objects are numbers; a path leads to one.
"""
import posixpath


class Tree:
    def __init__(self):
        self.paths = {"": 0}   # path -> object
        self.kinds = {0: "dir"}
        self.targets = {}      # path of a symlink -> where it leads
        self.held = {}         # label -> (object, path when it was opened)
        self.watches = {}      # "A:w" -> (object, mask)
        self.ended = []        # labels of those that the last step ended
        self.timed = {}        # object -> which times are as `times` sets them
        self.left_a_time = False  # by the last operation, which set it to that
        self.last = 0

    def make(self, path, kind):
        for _ in range(8):  # a dangling symlink is created through
            if path in self.paths and path in self.targets:
                path = posixpath.normpath(posixpath.join(
                    posixpath.dirname(path), self.targets[path]))
        if path not in self.paths:
            self.last += 1
            self.paths[path] = self.last
            self.kinds[self.last] = kind

    def names_of(self, number):
        return [path for path, other in self.paths.items() if other == number]

    def remove(self, path):
        self.paths.pop(path, None)
        self.targets.pop(path, None)

    def resolve(self, path):
        return self.paths.get(posixpath.normpath(path))

    def rename(self, old, new):
        if self.paths.get(old) == self.paths.get(new):
            return
        moved = {path: number for path, number in self.paths.items()
                 if path == old or path.startswith(old + "/")}
        for path in moved:
            del self.paths[path]
        for path, number in moved.items():
            self.paths[new + path[len(old):]] = number
        leads = {path: target for path, target in self.targets.items()
                 if path in moved}
        self.targets.pop(new, None)
        for path, target in leads.items():
            del self.targets[path]
            self.targets[new + path[len(old):]] = target

    def exchange(self, one, other):
        self.rename(one, "\0")
        self.rename(other, one)
        self.rename("\0", other)

    def apply(self, step):
        """After a step that was performed."""
        words = step.operation.split()
        self.left_a_time = False
        for label in self.ended:
            self.watches.pop(label, None)
        self.ended = [f"{event.instance}:{event.watch}"
                      for event in step.events if event.mask == "IGNORED"]
        if step.outcome or not words:
            return
        name, rest = words[0], words[1:]
        self.keep_times(name, rest)
        if name in ("create", "mknod", "mkfifo", "save", "mkdir"):
            self.make(rest[0], {"mkdir": "dir", "mkfifo": "fifo"}.get(
                name, "file"))
        elif name == "symlink":
            self.make(rest[1], "link")
            self.targets[rest[1]] = rest[0]
        elif name == "link":
            self.paths[rest[1]] = self.paths.get(rest[0], -1)
            if rest[0] in self.targets:
                self.targets[rest[1]] = self.targets[rest[0]]
        elif name in ("unlink", "rmdir"):
            self.remove(rest[0])
        elif name in ("rename", "norename"):
            self.rename(*rest)
        elif name == "exchange":
            self.exchange(*rest)
        elif name == "hold":
            if rest[2] == "make":
                self.make(rest[1], "file")
            self.held[rest[0]] = self.resolve(rest[1])
        elif name == "use" and rest[1] == "close":
            self.held.pop(rest[0], None)
        elif name == "watch":
            self.watch(rest[0], rest[1], rest[2])
        elif name == "unwatch":
            self.watches.pop(rest[0], None)

    def keep_times(self, name, rest):
        path = self.held.get(rest[0]) if name == "use" else (
            self.resolve(rest[0]) if rest else None)
        if name == "times":
            timed = self.timed.setdefault(path, set())
            sets = SETS.get(rest[1], set())
            self.left_a_time = bool(timed & sets)
            if rest[1] == "now":
                timed.clear()
            timed |= sets
            # Set to what the other one is, it looks as if both had been set.
            if len(sets) == 1 and len(timed) == 2:
                self.left_a_time = True
        elif name in ("append", "write", "save", "empty", "truncate", "use"):
            self.timed.pop(path, None)

    def watch(self, label, path, mask):
        number = self.resolve(path)
        bits = set(mask.split("|"))
        for known, (other, old) in self.watches.items():
            if other == number and known[0] == label[0]:
                if "MASK_ADD" in bits:
                    bits |= old
                self.watches[known] = (number, bits)
                return
        self.watches[label] = (number, bits)

    def mask(self, event):
        """Of the watch that told this event."""
        mask = self.watches.get(f"{event.instance}:{event.watch}",
                                (None, set()))[1]
        return EVENTS | mask if "ALL" in mask else mask

    def path_of(self, event):
        """Of the entry that the event names: any, or None."""
        directory = self.watches.get(f"{event.instance}:{event.watch}")
        if directory is None or event.name is None:
            return None
        for path in self.names_of(directory[0]):
            return posixpath.join(path, event.name)
        return None


SETS = {"then": {"access", "modify"}, "modify": {"modify"},
        "access": {"access"}}
EVENTS = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE",
          "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE",
          "DELETE_SELF", "MOVE_SELF"}
