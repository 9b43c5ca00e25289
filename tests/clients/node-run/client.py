"""`node --watch`: runs a program again when a module of it changes."""
import os

import common
import documents
import ops_programs

WATCHES = "the directories of a program's modules"
WAITS = "as fs.watch"
# While a program is ended and started again it misses changes, natively too.
READY = "Completed running"
STILL_S = 2
QUIET_S = 0.5
REMARK_S = 2
AS_IS = True
NOT_NATIVELY = (
    "node --watch has a watch on each module's file, and none on a new file of "
    "that name: so each way of replacing one has a module of its own, and a "
    "module that was deleted and is made again it does not notice")
# name, path, how it is saved
MODULES = [
    ("in place", "in-place.mjs", ops_programs.save_as_vs_code),
    ("by rename over", "dir-a/renamed.mjs", documents.save_by_rename),
    ("by vim", "vim.mjs", ops_programs.save_as_vim),
    ("by a JetBrains editor", "dir-b/jetbrains.mjs",
     ops_programs.save_as_jetbrains),
    ("by emacs", "dir-b/deep/emacs.mjs", ops_programs.save_as_emacs),
]
PART = "dir-a/part.mjs"
INNER = "dir-b/deep/inner.mjs"
PASSING = "dir-a/passing.mjs"


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def prepare(root):
    """A program that says why it runs: a new marker, or what modules say."""
    paths = [path for _, path, _ in MODULES] + [PART, INNER]
    imports = "".join(f"import './{path}';\n"
                      for path in paths if path != INNER)
    documents.write(f"{root}/main.mjs", imports + """\
import './steady.mjs';
import { readFileSync, writeFileSync } from 'node:fs';
const here = (file) => new URL(file, import.meta.url);
const last = (file) => readFileSync(file, 'utf8').trim().split('\\n').at(-1);
const seen = here('../tree-outside/seen');
const marker = last(here('steady.mjs'));
const passing = await import('./PASSING').then(() => 'here', () => 'gone');
if (marker !== last(seen)) {
  writeFileSync(seen, marker);
  console.log(marker);
} else {
  console.log('ran|' + PATHS.map((path) => last(here(path))).join(' ')
    + ' ' + passing);
}
""".replace("PATHS", repr(paths)).replace("PASSING", PASSING))
    documents.write(f"{root}-outside/seen", "// steady\n")
    documents.write(f"{root}/steady.mjs", "// steady\n")
    for path in paths + [PASSING]:
        documents.write(f"{root}/{path}", "// first\n")
    documents.write(f"{root}/{PART}",
                    f"import '../{INNER}';\n// first\n")


def saved(path, how, save):
    return lambda root: save(f"{root}/{path}", f"// saved {how}\n")


def appended(path, text):
    return lambda root: documents.append(f"{root}/{path}", f"// {text}\n")


def steps():
    return ([(f"saved {how}", saved(path, how, save))
             for how, path, save in MODULES]
            + [("a module's own module", appended(INNER, "inner")),
               ("appended to", appended(PART, "appended")),
               ("appended to what was replaced",
                appended("vim.mjs", "once more")),
               ("a file that is no module",
                lambda root: documents.write(f"{root}/dir-b/text", "text\n")),
               ("a module goes",
                lambda root: os.unlink(f"{root}/{PASSING}")),
               ("it is made again",
                lambda root: documents.write(f"{root}/{PASSING}", "//\n")),
               ("saved in place again",
                appended("in-place.mjs", "in place again")),
               ("appended to at last", appended(PART, "last"))])


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
