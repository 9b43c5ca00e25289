"""Python's watchdog, in a Python for aarch64."""
import qemu

globals().update(qemu.aarch64(
    "watchdog", "aarch64/root/usr/bin/python3", "python3-watchdog"))
