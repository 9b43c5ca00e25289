"""Makes scripts of operations from a seed, and shrinks failing ones.

A script need not be valid: an operation that fails does so natively as well,
and its errno is compared.  A rough memory of what exists makes most succeed.
"""
import random

LIBUV = ("MODIFY|ATTRIB|MOVED_FROM|MOVED_TO|CREATE|DELETE|DELETE_SELF|"
         "MOVE_SELF")
MEMBERS = "CREATE|DELETE|MOVED_FROM|MOVED_TO"
EVENTS = ("MODIFY ATTRIB CLOSE_WRITE CLOSE_NOWRITE OPEN MOVED_FROM MOVED_TO "
          "CREATE DELETE DELETE_SELF MOVE_SELF ACCESS").split()
DIRECTORIES = ["a", "b", "a/s", "b/s", "out"]
NAMES = ["f", "g", "h", "s", "tmp"]


class Generator:
    def __init__(self, seed, burst=False):
        self.random = random.Random(seed)
        self.seed = seed
        self.burst = burst
        self.paths = set()
        self.labels = 0
        self.watches = []
        self.held = []

    def pick_directory(self):
        return self.random.choice(DIRECTORIES[:2] * 3 + DIRECTORIES)

    def new_path(self):
        return f"{self.pick_directory()}/{self.random.choice(NAMES)}"

    def old_path(self):
        if self.paths and self.random.random() < 0.9:
            return self.random.choice(sorted(self.paths))
        return self.new_path()

    def mask(self):
        kind = self.random.random()
        if kind < 0.4:
            return LIBUV
        if kind < 0.65:
            return "ALL"
        if kind < 0.8:
            return MEMBERS
        return "|".join(self.random.sample(EVENTS,
                                           self.random.randint(1, 6)))

    def watch(self, path):
        instance = "A" if self.random.random() < 0.8 else "B"
        self.labels += 1
        label = f"{instance}:w{self.labels}"
        mask = self.mask()
        if self.random.random() < 0.06:
            mask += "|" + self.random.choice(
                ["ONESHOT", "EXCL_UNLINK", "MASK_ADD", "ONLYDIR",
                 "DONT_FOLLOW", "MASK_CREATE"])
        self.watches.append(label)
        return f"watch {label} {path} {mask}"

    def operation(self):
        r = self.random
        kind = r.choices(
            ["create", "save", "append", "write", "truncate", "empty",
             "chmod", "times", "setxattr", "unlink", "mkdir", "rmdir",
             "rename", "exchange", "norename", "link", "symlink", "mkfifo",
             "hold", "use", "list", "watch", "unwatch", "mknod"],
            [9, 9, 9, 4, 3, 3, 4, 3, 1, 10, 5, 4,
             16, 2, 1, 3, 2, 1, 4, 8, 2, 5, 2, 1])[0]
        if kind in ("create", "mkdir", "mkfifo", "mknod"):
            path = self.new_path()
            self.paths.add(path)
            return f"{kind} {path}"
        if kind == "save":
            path = self.old_path() if r.random() < 0.5 else self.new_path()
            self.paths.add(path)
            return f"save {path} {r.randint(1, 40)}"
        if kind in ("append", "write"):
            return f"{kind} {self.old_path()} {r.randint(1, 20)}"
        if kind == "truncate":
            return f"truncate {self.old_path()} {r.choice([0, 1, 100])}"
        if kind == "chmod":
            return f"chmod {self.old_path()} {r.choice(['600', '644', '755'])}"
        if kind == "times":
            return (f"times {self.old_path()} "
                    f"{r.choice(['now', 'then', 'modify', 'access'])}")
        if kind in ("unlink", "rmdir"):
            path = self.old_path()
            self.paths.discard(path)
            return f"{kind} {path}"
        if kind in ("rename", "exchange", "norename"):
            old = self.old_path()
            new = (self.old_path() if kind == "exchange" or r.random() < 0.3
                   else self.new_path())
            if kind != "exchange":
                self.paths.discard(old)
                self.paths.add(new)
            return f"{kind} {old} {new}"
        if kind == "link":
            new = self.new_path()
            self.paths.add(new)
            return f"link {self.old_path()} {new}"
        if kind == "symlink":
            new = self.new_path()
            self.paths.add(new)
            return f"symlink {r.choice(NAMES)} {new}"
        if kind == "hold":
            label = f"h{len(self.held)}"
            self.held.append(label)
            how = r.choice(["read", "write", "both", "make", "path"])
            return f"hold {label} {self.old_path()} {how}"
        if kind == "use":
            if not self.held:
                return self.operation()
            label = r.choice(self.held)
            what = r.choice(["read", "write 3", "close", "close",
                             "truncate 2", "chmod 0600"])
            return f"use {label} {what}"
        if kind == "watch":
            return self.watch(self.old_path() if r.random() < 0.6
                              else self.pick_directory())
        if kind == "unwatch":
            if not self.watches:
                return self.operation()
            return f"unwatch {r.choice(self.watches)}"
        return f"{kind} {self.old_path()}"

    def setup(self):
        lines = [f"mkdir {path}" for path in DIRECTORIES]
        for _ in range(self.random.randint(0, 4)):
            path = self.new_path()
            self.paths.add(path)
            lines.append(f"save {path} 3")
        lines.append("age")
        lines.append(self.watch("a"))
        if self.random.random() < 0.8:
            lines.append(self.watch("b"))
        return lines

    def script(self):
        lines = self.setup()
        if self.burst:
            lines.append("burst")
        for _ in range(self.random.randint(4, 16)):
            operation = self.operation()
            if (not self.burst and operation.startswith(("rename",
                                                         "norename"))
                    and self.random.random() < 0.7):
                lines.append("age")
            lines.append(operation)
            if self.burst and self.random.random() < 0.2:
                lines.append("step")
        kind = "burst" if self.burst else "stepped"
        return Script(f"{kind}-{self.seed}", lines)


class Script:
    """A name and lines; `expected` maps the number of a line to its events."""

    def __init__(self, name, lines, expected=None):
        self.name = name
        self.lines = lines
        self.expected = expected or {}

    def text(self):
        return "\n".join([f"script {self.name}"] + self.lines) + "\n"

    def is_burst(self):
        return "burst" in self.lines


def make(seed, count, burst_share=0.25):
    """`count` scripts of which each can be made again from its own seed."""
    scripts = []
    for index in range(count):
        own = f"{seed}.{index}"
        burst = random.Random(own + "b").random() < burst_share
        scripts.append(Generator(own, burst).script())
    return scripts


def read(path):
    """The scripts of a file."""
    scripts = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("script "):
                scripts.append(Script(line[7:], []))
            elif line.startswith(" "):
                script = scripts[-1]
                at = len(script.lines) - 1
                script.expected.setdefault(at, []).append(line.strip())
            else:
                scripts[-1].lines.append(line)
    return scripts


def shrink(script, fails, attempts=200):
    """The fewest lines of it that still fail: ddmin, `attempts` runs at most.
    """
    lines, size = list(script.lines), max(1, len(script.lines) // 2)
    while attempts > 0:
        at, shorter = 0, False
        while at < len(lines) and attempts > 0:
            attempts -= 1
            candidate = lines[:at] + lines[at + size:]
            if candidate and fails(Script(script.name, candidate)):
                lines, shorter = candidate, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return Script(script.name, lines)
