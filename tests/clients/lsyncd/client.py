"""lsyncd: runs an action for each change in a tree."""
import os

import common
import documents

WATCHES = "a tree"
WAITS = "pselect, reads of 2,048"
STILL_S = 0.3
QUIET_S = 0.3
REMARK_S = 2


def needs(_place):
    return ["lsyncd", "stdbuf"]


def version(_place):
    return common.debian("lsyncd")


def configuration(root):
    return root + "-outside/lsyncd.lua"


def prepare(root):
    documents.write(configuration(root), f"""\
settings {{ nodaemon = true, inotifyMode = "CloseWrite or Modify" }}
sync {{
    source = "{root}", delay = 0, maxProcesses = 1,
    onCreate = [[echo "create|^pathname"]],
    onModify = [[echo "modify|^pathname"]],
    onAttrib = [[echo "attrib|^pathname"]],
    onDelete = [[echo "delete|^pathname"]],
    onMove = [[echo "move|^o.pathname -> ^d.pathname"]],
}}
""")


def steps():
    def make_directory(root):
        os.mkdir(f"{root}/fresh")

    def fill_directory(root):
        documents.write(f"{root}/fresh/one", "text\n")

    return (documents.changes("a document", "document")
            + [("mkdir", make_directory),
               ("a file in it", fill_directory),
               ("chmod of a file",
                lambda root: os.chmod(f"{root}/document", 0o755)),
               ("rename",
                lambda root: os.rename(f"{root}/fresh/one",
                                       f"{root}/fresh/two")),
               ("rename of a directory",
                lambda root: os.rename(f"{root}/fresh", f"{root}/other")),
               ("a file below it",
                lambda root: documents.write(f"{root}/other/three", "text\n")),
               ("delete", lambda root: os.unlink(f"{root}/other/two"))])


AT_SPEED = {name for name, _ in steps() if " saved by " in name}


def command(_place, root):
    return ["stdbuf", "-oL", "lsyncd", configuration(root)]


def parse(lines, _root):
    """Actions; which of one file's are one depends on what was under way."""
    found = [line.replace("|", " ", 1) for line in lines
             if "|" in line and "Normal:" not in line]
    return list(dict.fromkeys(found))
