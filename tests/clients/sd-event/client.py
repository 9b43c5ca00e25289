"""Path conditions as systemd's, with sd-event."""
import common
from rules import Open

WATCHES = "directories and a file, as .path units do"
WAITS = "epoll of sd-event"
READY = "ready"
OPEN = [
    Open(r"^(changed|modified) ",
         "where no note tells of a close, CLOSE_WRITE is told when a changed "
         "file was quiet for 50 ms: truncate(2) is followed by one, too",
         modes=("freebsd", "strict", "macos"), beside=True),
]


def needs(place):
    return [place.built("watch-paths")]


def version(_place):
    return common.debian("libsystemd0")


def command(place, root):
    return [place.built("watch-paths"), root]


def parse(lines, _root):
    """Lines are kind|path; several of a path are one trigger."""
    return list(dict.fromkeys(line.replace("|", " ", 1).replace("./", "")
                              for line in lines))
