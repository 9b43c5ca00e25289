"""Clients of another CPU, which QEMU's user mode runs, natively and as guests.

They are dynamic programs, from a sysroot of Debian's arm64 packages
(aarch64/fetch) or built against it.
"""
import describing

QEMU = "qemu-aarch64-static"


def package_version(place, package):
    with open(place.built("aarch64/packages"), encoding="utf-8") as file:
        return dict(line.split() for line in file)[package]


def aarch64(client, program, package):
    """The description of `client`, with another program."""
    base = describing.describe(client)

    def needs(place):
        return [QEMU, place.built("aarch64/fetched"), place.built(program)]

    def version(place):
        return package_version(place, package) if package else (
            base.version(place))

    def command(place, root):
        words = base.command(place, root)
        return [place.built(program)] + words[1:]

    return dict(vars(base), needs=needs, version=version, command=command,
                NATIVE=[QEMU],
                WAITS=f"as {client}, through QEMU")
