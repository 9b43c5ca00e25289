"""The script of file operations that every client is given.

A step is a name and a function of the watched directory.  Most steps leave
nothing that comes and goes within one step: such a pair is the kernel's alone
to tell, and what is reported of them is compared report by report.  The others
are AT_SPEED, as programs really do it: of them it is compared which of the
paths that were there before, or are there after, something is reported of.
"""
import os
import shutil

import ops_programs

MKDIR_P = "mkdir -p with files"
# What a client sees below a new directory depends on how soon it watches it,
# natively too (once in a hundred runs inotifywait loses a level for good): in
# these steps, reports below these paths may come or not.
RACING = {
    MKDIR_P: "p/",
    "publish a version beside ..data": "config/..v2/",
    "update ..data at once": "config/..v3/",
}
FEW = {"files": 200, "checkout": 200}
FULL = {"files": 1000, "checkout": 2000}


def write(path, text="text\n"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def append(path, text="more\n"):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def outside(root):
    return root + "-outside"


def prepare(root, repository):
    """What is there before the client starts."""
    for directory in ("dir-a", "dir-b", "dir-b/deep", "logs", "config"):
        os.mkdir(os.path.join(root, directory))
    for file in ("document", "dir-a/old-1", "dir-a/old-2", "dir-b/old-3",
                 "logs/app.log"):
        write(os.path.join(root, file))
    os.mkdir(outside(root))
    write(os.path.join(outside(root), "guest"))
    ops_programs.prepare_data(f"{root}/config")
    ops_programs.prepare_checkout(f"{root}/project", f"{outside(root)}/git",
                                  repository)


def create_files(root):
    for number in range(5):
        write(f"{root}/file-{number}")


def create_empty(root):
    write(f"{root}/empty", "")


def append_to_files(root):
    append(f"{root}/file-0")
    append(f"{root}/dir-a/old-1")


def truncate_files(root):
    os.truncate(f"{root}/file-0", 2)
    os.truncate(f"{root}/dir-a/old-1", 0)


def change_modes(root):
    os.chmod(f"{root}/file-0", 0o600)
    os.chmod(f"{root}/dir-a/old-1", 0o755)


def change_mode_of_directory(root):
    os.chmod(f"{root}/dir-b", 0o700)


def set_times(root):
    os.utime(f"{root}/file-3", (1000000000, 1000000000))


def read_a_file(root):
    with open(f"{root}/file-3", encoding="utf-8") as file:
        file.read()


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


def append_below_renamed(root):
    append(f"{root}/dir-c/old-3")


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


def rotate_log(root):
    os.rename(f"{root}/logs/app.log", f"{root}/logs/app.log.1")


def create_log(root):
    write(f"{root}/logs/app.log", "")


def append_log(root):
    append(f"{root}/logs/app.log")


def copy_and_truncate_log(root):
    shutil.copyfile(f"{root}/logs/app.log", f"{root}/logs/app.log.2")
    os.truncate(f"{root}/logs/app.log", 0)


def publish_data(root):
    ops_programs.publish_data(f"{root}/config", 2)


def swap_data(root):
    ops_programs.swap_data(f"{root}/config")


def remove_old_data(root):
    shutil.rmtree(f"{root}/config/..v1")


def update_data(root):
    """All three at once, as the kubelet does."""
    ops_programs.publish_data(f"{root}/config", 3)
    ops_programs.swap_data(f"{root}/config")
    shutil.rmtree(f"{root}/config/..v2")


def check_out(root):
    ops_programs.check_out(f"{root}/project", f"{outside(root)}/git",
                           "second")


def check_out_back(root):
    ops_programs.check_out(f"{root}/project", f"{outside(root)}/git",
                           "first")


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


def remove_many(root):
    shutil.rmtree(f"{root}/many")


def remove_tree(root):
    shutil.rmtree(f"{root}/dir-a")


def editor(save):
    return lambda root: save(f"{root}/document")


def fill_many(count):
    def fill(root):
        for number in range(count):
            write(f"{root}/many/{number}")
    return fill


def steps(sizes):
    """[(name, operation)], in order."""
    return [
        ("create files", create_files),
        ("create an empty file", create_empty),
        ("append", append_to_files),
        ("truncate", truncate_files),
        ("chmod", change_modes),
        ("chmod of a directory", change_mode_of_directory),
        ("set times", set_times),
        ("read a file", read_a_file),
        ("create files in subdirectories", create_files_below),
        ("mkdir", make_directories),
        ("create files in new directories", fill_new_directories),
        ("rename within a directory", rename_within),
        ("rename across directories", rename_across),
        ("rename a watched directory", rename_directory),
        ("create files below it", create_below_renamed),
        ("append below it", append_below_renamed),
        ("mkdir at its old name", take_the_old_name),
        ("create a decoy and a child", create_in_both),
        ("move a directory across", move_directory_across),
        ("create a file below it", create_below_moved),
        ("move a file in", move_in),
        ("move a file out", move_out),
        ("write a temporary file", write_then_save),
        ("save by rename over", save_now),
        ("save as vim does", editor(ops_programs.save_as_vim)),
        ("save as VS Code does", editor(ops_programs.save_as_vs_code)),
        ("save as JetBrains' editors do",
         editor(ops_programs.save_as_jetbrains)),
        ("save as emacs does", editor(ops_programs.save_as_emacs)),
        ("move a log away", rotate_log),
        ("create the new log", create_log),
        ("append to the new log", append_log),
        ("copy and truncate the log", copy_and_truncate_log),
        ("publish a version beside ..data", publish_data),
        ("swap ..data", swap_data),
        ("remove the old version", remove_old_data),
        ("update ..data at once", update_data),
        ("git checkout", check_out),
        ("git checkout back", check_out_back),
        ("delete files", delete_files),
        ("empty and rmdir", remove_directory),
        (MKDIR_P, make_path_with_files),
        ("mkdir for many", make_many),
        ("create many files", fill_many(sizes["files"])),
        ("rm -rf of many files", remove_many),
        ("rm -rf of a tree", remove_tree),
    ]


AT_SPEED = {
    "save as vim does", "save as VS Code does",
    "save as JetBrains' editors do", "save as emacs does",
    "update ..data at once", "git checkout", "git checkout back",
}
