"""`node --watch-path`: runs a program again when something in a tree changes."""
import os

import common
import documents

WATCHES = "a tree: a watch for each file and directory"
WAITS = "as fs.watch"
READY = "Completed running"
# While a program is ended and started again it misses changes, natively too;
# and it leaves alone what changes again within 0.5 s.
STILL_S = 2
QUIET_S = 0.5
REMARK_S = 2
AS_IS = True
EMPTY = "{}"


def needs(_place):
    return ["node"]


def version(_place):
    return common.node()


def prepare(root):
    """A program that says what is not as it was when it ran before."""
    documents.write(f"{root}-outside/state", EMPTY)
    documents.write(f"{root}/dir-a/old.js", "old\n")
    documents.write(f"{root}-outside/main.mjs", """\
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
const root = 'ROOT';
const state = 'ROOT-outside/state';
const before = JSON.parse(readFileSync(state, 'utf8'));
const now = {};
for (const name of readdirSync(root, { recursive: true })) {
  const stat = lstatSync(root + '/' + name, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory())
    now[name] = [stat.ino, stat.size, stat.mtimeMs].join();
}
writeFileSync(state, JSON.stringify(now));
if (Object.keys(before).length !== 0)
  for (const name of Object.keys({ ...before, ...now }))
    if (before[name] !== now[name])
      console.log(`ran|${name}`);
""".replace("ROOT", root))


def steps():
    return (documents.changes("a module", "dir-a/old.js") + [
        ("a new file",
         lambda root: documents.write(f"{root}/dir-a/new.js", "new\n")),
        ("a new file deeper",
         lambda root: documents.write(f"{root}/dir-b/deep/new.js", "new\n")),
        ("it is appended to",
         lambda root: documents.append(f"{root}/dir-b/deep/new.js")),
        ("a file goes", lambda root: os.unlink(f"{root}/dir-a/old-1")),
        ("a file moves across",
         lambda root: os.rename(f"{root}/dir-a/old-2", f"{root}/dir-b/old-2")),
        ("a file outside",
         lambda root: documents.write(f"{root}-outside/text", "text\n")),
    ])


def command(_place, root):
    return ["node", "--no-warnings", f"--watch-path={root}",
            f"{root}-outside/main.mjs"]


def parse(lines, _root):
    return [line.replace("|", " ", 1) for line in lines
            if line.startswith("ran|")]
