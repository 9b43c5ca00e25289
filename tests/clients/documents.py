"""Steps on one file each, for clients that run a command for each change.

Such a client may miss what happens while its command runs; so one step is one
change, or what one editor makes of it.
"""
import os

import ops_programs


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def append(path, text="more\n"):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def save_by_rename(path, text):
    write(path + ".new", text)
    os.rename(path + ".new", path)


def rotate(path):
    """The old log away and a new one at once."""
    os.rename(path, path + ".1")
    write(path, "")


def changes(name, path):
    """[(step, operation)] on what is a file already; path is below the root."""
    return [
        (f"append to {name}", lambda root: append(f"{root}/{path}")),
        (f"truncate {name}", lambda root: os.truncate(f"{root}/{path}", 1)),
        (f"{name} saved by rename over",
         lambda root: save_by_rename(f"{root}/{path}", "renamed over\n")),
        (f"append to the new {name}", lambda root: append(f"{root}/{path}")),
        (f"{name} saved by vim",
         lambda root: ops_programs.save_as_vim(f"{root}/{path}")),
        (f"{name} saved by VS Code",
         lambda root: ops_programs.save_as_vs_code(f"{root}/{path}")),
        (f"{name} saved by a JetBrains editor",
         lambda root: ops_programs.save_as_jetbrains(f"{root}/{path}")),
        (f"{name} saved by emacs",
         lambda root: ops_programs.save_as_emacs(f"{root}/{path}")),
        (f"append to {name} again", lambda root: append(f"{root}/{path}")),
    ]
