"""`node --watch`: runs a program again when a module of it changes."""
import os

import common
import documents

WATCHES = "the directories of a program's modules"
WAITS = "as fs.watch"
# While a program is ended and started again it misses changes, natively too.
READY = "Completed running"
STILL_S = 2
QUIET_S = 0.5
REMARK_S = 2
AS_IS = True
NOT_NATIVELY = (
    "node --watch does not notice changes of a module that was renamed over, "
    "in any native run; these steps say that vnotify tells it no more")


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def prepare(root):
    """A program that says why it runs: a new marker, or the other module."""
    documents.write(f"{root}/main.mjs", """\
import { readFileSync, writeFileSync } from 'node:fs';
import './dir-a/part.mjs';
import './steady.mjs';
const here = (file) => new URL(file, import.meta.url);
const last = (file) => readFileSync(file, 'utf8').trim().split('\\n').at(-1);
const seen = here('../tree-outside/seen');
const marker = last(here('steady.mjs'));
if (marker !== last(seen)) {
  writeFileSync(seen, marker);
  console.log(marker);
} else {
  console.log('ran|' + last(here('dir-a/part.mjs')));
}
""")
    documents.write(f"{root}-outside/seen", "// steady\n")
    documents.write(f"{root}/dir-a/part.mjs", "// first\n")
    documents.write(f"{root}/steady.mjs", "// steady\n")


def save_in_place(root):
    documents.write(f"{root}/dir-a/part.mjs", "// in place\n")


def steps():
    part = "dir-a/part.mjs"
    return [
        ("saved in place", save_in_place),
        ("appended to",
         lambda root: documents.append(f"{root}/{part}", "// appended\n")),
        ("saved by rename over",
         lambda root: documents.save_by_rename(f"{root}/{part}",
                                               "// renamed over\n")),
        ("appended to the new one",
         lambda root: documents.append(f"{root}/{part}", "// once more\n")),
        ("a file that is no module",
         lambda root: documents.write(f"{root}/dir-b/text", "text\n")),
        ("appended to at last",
         lambda root: documents.append(f"{root}/{part}", "// last\n")),
    ]


def command(_place, root):
    return ["node", "--no-warnings", "--watch", os.path.join(root, "main.mjs")]


def mark(root, number):
    """Another last line of a module that nothing else happens to."""
    text = f".marker-{number}-"
    documents.append(f"{root}/steady.mjs", f"// {text}\n")
    return text


def parse(lines, _root):
    """That it ran, and with which text."""
    return [line.replace("|", " ", 1) for line in lines
            if line.startswith("ran|")]
