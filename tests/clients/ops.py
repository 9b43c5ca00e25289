"""The script of file operations that every client is given.

A step is a name and a function of the watched directory.  Steps leave nothing
that comes and goes within one step: such a pair is the kernel's alone to tell.
"""
import os
import shutil

MANY = 200
MKDIR_P = "mkdir -p with files"
# What a client sees below a new directory depends on how soon it watches it,
# natively too (once in a hundred runs inotifywait loses a level for good): in
# this step, reports below this path may come or not.
RACING = {MKDIR_P: "p/"}


def write(path, text="text\n"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def prepare(root):
    """What is there before the client starts."""
    for directory in ("dir-a", "dir-b", "dir-b/deep"):
        os.mkdir(os.path.join(root, directory))
    for file in ("document", "dir-a/old-1", "dir-a/old-2", "dir-b/old-3"):
        write(os.path.join(root, file))
    os.mkdir(outside(root))
    write(os.path.join(outside(root), "guest"))


def outside(root):
    return root + "-outside"


def create_files(root):
    for number in range(5):
        write(f"{root}/file-{number}")


def create_files_below(root):
    write(f"{root}/dir-a/new-1")
    write(f"{root}/dir-b/new-2")
    write(f"{root}/dir-b/deep/new-3")


def make_directories(root):
    os.mkdir(f"{root}/fresh")
    os.mkdir(f"{root}/dir-a/fresh")


def fill_new_directories(root):
    write(f"{root}/fresh/one")
    write(f"{root}/dir-a/fresh/two")


def rename_within(root):
    os.rename(f"{root}/file-0", f"{root}/renamed-0")
    os.rename(f"{root}/dir-a/old-1", f"{root}/dir-a/renamed-1")


def rename_across(root):
    os.rename(f"{root}/file-1", f"{root}/dir-a/across-1")
    os.rename(f"{root}/dir-a/old-2", f"{root}/dir-b/across-2")


def rename_directory(root):
    os.rename(f"{root}/dir-b", f"{root}/dir-c")


def create_below_renamed(root):
    write(f"{root}/dir-c/after")
    write(f"{root}/dir-c/deep/after")


def take_the_old_name(root):
    os.mkdir(f"{root}/dir-b")


def create_in_both(root):
    write(f"{root}/dir-b/decoy")
    write(f"{root}/dir-c/real")


def move_directory_across(root):
    os.rename(f"{root}/dir-c/deep", f"{root}/dir-a/deep")


def create_below_moved(root):
    write(f"{root}/dir-a/deep/moved-here")


def move_in(root):
    os.rename(f"{outside(root)}/guest", f"{root}/guest")


def move_out(root):
    os.rename(f"{root}/guest", f"{outside(root)}/guest")


def write_then_save(root):
    write(f"{root}/document.tmp", "the newest text\n")


def save_now(root):
    os.rename(f"{root}/document.tmp", f"{root}/document")


def delete_files(root):
    os.unlink(f"{root}/file-2")
    os.unlink(f"{root}/dir-a/across-1")


def remove_directory(root):
    os.unlink(f"{root}/fresh/one")
    os.rmdir(f"{root}/fresh")


def make_path_with_files(root):
    os.makedirs(f"{root}/p/q/r")
    write(f"{root}/p/one")
    write(f"{root}/p/q/two")
    write(f"{root}/p/q/r/three")


def make_many(root):
    os.mkdir(f"{root}/many")


def fill_many(root):
    for number in range(MANY):
        write(f"{root}/many/{number}")


def remove_many(root):
    shutil.rmtree(f"{root}/many")


def remove_tree(root):
    shutil.rmtree(f"{root}/dir-a")


STEPS = [
    ("create files", create_files),
    ("create files in subdirectories", create_files_below),
    ("mkdir", make_directories),
    ("create files in new directories", fill_new_directories),
    ("rename within a directory", rename_within),
    ("rename across directories", rename_across),
    ("rename a watched directory", rename_directory),
    ("create files below it", create_below_renamed),
    ("mkdir at its old name", take_the_old_name),
    ("create a decoy and a child", create_in_both),
    ("move a directory across", move_directory_across),
    ("create a file below it", create_below_moved),
    ("move a file in", move_in),
    ("move a file out", move_out),
    ("write a temporary file", write_then_save),
    ("save by rename over", save_now),
    ("delete files", delete_files),
    ("empty and rmdir", remove_directory),
    (MKDIR_P, make_path_with_files),
    ("mkdir for many", make_many),
    (f"create {MANY} files", fill_many),
    (f"rm -rf of {MANY} files", remove_many),
    ("rm -rf of a tree", remove_tree),
]
