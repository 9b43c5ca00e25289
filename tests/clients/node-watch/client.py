"""node's fs.watch on one directory."""
WATCHES = "one directory"
WAITS = "epoll, level-triggered, reads of 4,096"
READY = "ready"


def needs(_place):
    return ["node"]


def version(_place):
    return ["node", "--version"]


def command(place, root):
    return ["node", place.here("node-watch", "watch.js"), root]


def parse(lines, _root):
    """Lines are rename|name or change|name."""
    return [line.replace("|", " ", 1) for line in lines]
