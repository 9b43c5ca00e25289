"""What other programs do to files: editors, the kubelet, git."""
import os
import shutil
import subprocess


GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost",
       "-c", "commit.gpgsign=false", "-c", "gc.auto=0"]


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def save_as_vim(path, text="saved by vim\n"):
    """A probe for rights, the old file renamed away, a new one, no backup."""
    probe = os.path.join(os.path.dirname(path), "4913")
    write(probe, "")
    os.unlink(probe)
    os.rename(path, path + "~")
    write(path, text)
    os.chmod(path, 0o644)
    os.unlink(path + "~")


def save_as_vs_code(path, text="saved by VS Code, in place\n"):
    """In place: truncated and written."""
    write(path, text)


def save_as_jetbrains(path, text="saved by a JetBrains editor\n"):
    """Safe write: beside it, then two renames."""
    write(path + "___jb_tmp___", text)
    os.rename(path, path + "___jb_old___")
    os.rename(path + "___jb_tmp___", path)
    os.unlink(path + "___jb_old___")


def save_as_emacs(path, text="saved by emacs\n"):
    """A lock that is a dangling link, and a backup that stays."""
    directory, name = os.path.split(path)
    lock = os.path.join(directory, ".#" + name)
    os.symlink("user@host.1:1", lock)
    os.rename(path, path + "~")
    write(path, text)
    os.chmod(path, 0o644)
    os.unlink(lock)


def prepare_data(directory):
    """A mounted ConfigMap: key -> ..data/key, ..data -> ..v1."""
    os.mkdir(f"{directory}/..v1")
    write(f"{directory}/..v1/key", "version 1\n")
    os.symlink("..v1", f"{directory}/..data")
    os.symlink("..data/key", f"{directory}/key")


def publish_data(directory, version):
    os.mkdir(f"{directory}/..v{version}")
    write(f"{directory}/..v{version}/key", f"version {version}\n")
    os.symlink(f"..v{version}", f"{directory}/..data_tmp")


def swap_data(directory):
    os.rename(f"{directory}/..data_tmp", f"{directory}/..data")


def git(work, store, *words):
    subprocess.run(GIT + [f"--git-dir={store}", f"--work-tree={work}"]
                   + list(words), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


def make_repository(directory, count):
    """Two commits that differ in count files; the path of the repository."""
    work, store = f"{directory}/work", f"{directory}/git"
    for number in range(count):
        part = f"{work}/part-{number % 10}"
        os.makedirs(part, exist_ok=True)
        if number % 4:
            write(f"{part}/{number}", "first\n")
    git(work, store, "init", "-q", "-b", "first")
    git(work, store, "add", "-A")
    git(work, store, "commit", "-q", "-m", "first")
    git(work, store, "checkout", "-q", "-b", "second")
    for number in range(count):  # a fourth goes, another comes
        path = f"{work}/part-{number % 10}/{number}"
        if number % 4 == 1:
            os.unlink(path)
        else:
            write(path, "second, and longer\n")
    git(work, store, "add", "-A")
    git(work, store, "commit", "-q", "-m", "second")
    git(work, store, "checkout", "-q", "first")
    return store


def prepare_checkout(work, store, repository):
    """A work tree of the first commit, with a repository of its own."""
    os.mkdir(work)
    shutil.copytree(repository, store)
    git(work, store, "reset", "-q", "--hard", "first")


def check_out(work, store, branch):
    git(work, store, "checkout", "-q", branch)
