"""A manifest applier on Go's fsnotify: stacks of *.yaml, applied as they come."""
import os
import shutil

import common
import documents
import ops_programs
from rules import Open

WATCHES = "a directory of stacks; it applies a stack when a *.yaml changes"
WAITS = "as fsnotify"
READY = "ready"
OPEN = [
    Open(r"^pruned network/cni\.yaml$",
         "whether the applier finds that a manifest is away for a moment while "
         "an editor saves it depends on when it looks; the text that is there "
         "in the end must be applied",
         steps=tuple(f"a manifest saved by {editor}" for editor in
                     ("vim", "VS Code", "a JetBrains editor", "emacs"))),
]


def needs(place):
    return [place.built("go-apply")]


def version(_place):
    return common.debian("golang-github-fsnotify-fsnotify-dev")


def prepare(root):
    os.mkdir(f"{root}/markers")


def command(place, root):
    return [place.built("go-apply"), root]


def mark(root, number):
    """One more manifest, in a stack of their own; one event of a *.yaml."""
    documents.save_by_rename(f"{root}/markers/{number}.yaml",
                             f".marker-{number}-\n")
    return f": .marker-{number}-"


def new_stack(root):
    """As a tool publishes one: beside it, then renamed into place."""
    os.mkdir(f"{root}/network")
    documents.save_by_rename(f"{root}/network/cni.yaml", "kind: 1\n")


def renamed_into_place(root):
    os.mkdir(f"{root}-outside/storage")
    documents.write(f"{root}-outside/storage/csi.yaml", "kind: 2\n")
    documents.write(f"{root}-outside/storage/notes.txt", "no manifest\n")
    os.rename(f"{root}-outside/storage", f"{root}/storage")


def swap_data(root):
    """A mounted ConfigMap as a stack: its keys are links."""
    ops_programs.publish_data(f"{root}/config", 2)
    ops_programs.swap_data(f"{root}/config")


def link_manifest(root):
    os.symlink("..data/key", f"{root}/config/key.yaml")


def steps():
    cni = "network/cni.yaml"
    return [
        ("a stack, its manifest renamed into place", new_stack),
        ("a second manifest, written in place",
         lambda root: documents.write(f"{root}/network/dns.yaml", "kind: 3\n")),
        ("no manifest",
         lambda root: documents.write(f"{root}/network/README", "text\n")),
        ("a stack moved in", renamed_into_place),
        ("a manifest of it",
         lambda root: documents.write(f"{root}/storage/nfs.yaml", "kind: 4\n")),
        *documents.changes("a manifest", cni),
        ("a manifest under another name",
         lambda root: os.rename(f"{root}/{cni}", f"{root}/network/b.yaml")),
        ("a manifest to another stack",
         lambda root: os.rename(f"{root}/network/b.yaml",
                                f"{root}/storage/b.yaml")),
        ("a manifest that is a link", link_manifest),
        ("swap ..data", swap_data),
        ("touch of the link after the swap",
         lambda root: os.utime(f"{root}/config/key.yaml",
                               follow_symlinks=False)),
        ("a manifest goes",
         lambda root: os.unlink(f"{root}/network/dns.yaml")),
        ("a stack goes", lambda root: shutil.rmtree(f"{root}/storage")),
        ("a stack comes back", renamed_into_place),
    ]


# All steps are compared as they are: what is printed is text that was applied.
AS_IS = True
parse = common.kinds_and_paths
