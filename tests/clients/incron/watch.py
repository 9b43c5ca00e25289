#!/usr/bin/python3
"""A tree watched with incrond; a line for each command that it runs.

Its configuration, tables and lock are in a directory of their own.  The
commands write into a FIFO, a line at once.
"""
import os
import signal
import subprocess
import sys
import tempfile

KINDS = ("IN_CREATE,IN_DELETE,IN_MODIFY,IN_ATTRIB,IN_CLOSE_WRITE,"
         "IN_MOVED_FROM,IN_MOVED_TO")
SAY = """\
#!/bin/sh
echo "$1|$2" >'{fifo}'
"""


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def configure(directory, root):
    """What incrond is to know; the FIFO that the commands write into."""
    fifo = os.path.join(directory, "fifo")
    say = os.path.join(directory, "say")
    os.mkfifo(fifo)
    os.mkdir(os.path.join(directory, "system"))
    os.mkdir(os.path.join(directory, "users"))
    write(say, SAY.format(fifo=fifo), 0o755)
    write(os.path.join(directory, "system", "table"),
          f"{root} {KINDS} {say} $% $@/$#\n")
    write(os.path.join(directory, "configuration"),
          f"system_table_dir = {directory}/system\n"
          f"user_table_dir = {directory}/users\n"
          f"lockfile_dir = {directory}\nlockfile_name = lock\n")
    return fifo


def main():
    root = sys.argv[1]
    with tempfile.TemporaryDirectory() as directory:
        fifo = configure(directory, root)
        daemon = subprocess.Popen(
            ["/usr/sbin/incrond", "-n", "-f", directory + "/configuration"])

        def stop(_signal, _frame):
            daemon.terminate()
            sys.exit(daemon.wait())

        signal.signal(signal.SIGTERM, stop)
        # for writing, too: it does not end with a command
        with open(os.open(fifo, os.O_RDWR), encoding="utf-8") as commands:
            for line in commands:
                print(line.replace(root + "/", ""), end="", flush=True)


main()
