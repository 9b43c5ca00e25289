"""nodemon: runs a command when a source file changes."""
import os

import common
import documents

WATCHES = "a tree, with chokidar"
WAITS = "as chokidar; gathers changes for 50 ms"
STILL_S = 0.4
QUIET_S = 0.4
REMARK_S = 2


def needs(place):
    return ["node", place.modules]


def version(place):
    return common.npm(place, "nodemon")


def steps():
    return (documents.changes("a module", "dir-a/old.js")
            + [("a new module",
                lambda root: documents.write(f"{root}/dir-a/new.js", "new\n")),
               ("a module in a new directory",
                lambda root: os.rename(f"{root}-outside/part",
                                       f"{root}/part")),
               ("a file that is no module",
                lambda root: documents.write(f"{root}/dir-b/text", "text\n")),
               ("a module goes",
                lambda root: os.unlink(f"{root}/dir-a/new.js"))])


AT_SPEED = {name for name, _ in steps() if " saved by " in name}


def prepare(root):
    documents.write(f"{root}/dir-a/old.js", "old\n")
    documents.write(f"{root}/steady.js", "steady\n")
    os.mkdir(f"{root}-outside/part")
    documents.write(f"{root}-outside/part/one.js", "one\n")


def command(place, root):
    say = f"tail -n 1 {root}/steady.js"
    return ["node", os.path.join(place.modules, "nodemon/bin/nodemon.js"),
            "--verbose", "--no-colours", "--delay", "0.05", "--watch", root,
            "--ext", "js", "--exec", say]


def mark(root, number):
    text = f".marker-{number}-"
    documents.append(f"{root}/steady.js", text + "\n")
    return text


def parse(lines, root):
    """Which files made it look; how often depends on when it looks."""
    told = "[nodemon] files triggering change check: "
    found = []
    for line in lines:
        if line.startswith(told):
            names = line.removeprefix(told).split(", ")
            # relative to where it was started
            found += ["ran " + os.path.relpath(os.path.abspath(name), root)
                      for name in names]
    return list(dict.fromkeys(each for each in found if each != "ran steady.js"))
