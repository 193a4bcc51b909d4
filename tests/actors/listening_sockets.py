"""The sockets on which the processes of a desk listen, from /proc (proc_pid_net(5))."""

import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LISTENING = "0A"
INODE = re.compile(r"socket:\[(\d+)\]")


def descendants(pid: int) -> set[int]:
    """The process and all that came of it and still have a living parent in the tree."""
    found = {pid}
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text().split():
                    found |= descendants(int(child))
    return found


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Address and port of each TCP socket on which one of these processes listens."""
    inodes = set().union(*map(_inodes, pids))
    return {(address, port) for address, port, inode in _listeners() if inode in inodes}


def host_addresses() -> list[str]:
    """The addresses of this machine that are not loopback."""
    here = {str(_address(line.split()[0])) for line in Path("/proc/net/if_inet6").read_text().splitlines()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it chooses the address from which it would
        here.add(probe.getsockname()[0])
    return sorted(one for one in here if not ipaddress.ip_address(one).is_loopback and not one.startswith("fe80"))


def _inodes(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            match = INODE.fullmatch(str(link.readlink()))
        except FileNotFoundError:
            continue
        if match:
            found.add(match[1])
    return found


def _listeners() -> Iterator[tuple[str, int, str]]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == LISTENING:
                yield str(_kernel_address(address)), int(port, 16), fields[9]


def _kernel_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Words of 32 bits in the machine's own order; an IPv4 address inside an IPv6 one is that."""
    words = bytes.fromhex(text)
    packed = b"".join(struct.pack(">I", word) for word in struct.unpack(f"={len(words) // 4}I", words))
    address = ipaddress.ip_address(packed)
    return getattr(address, "ipv4_mapped", None) or address


def _address(text: str) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(bytes.fromhex(text))
