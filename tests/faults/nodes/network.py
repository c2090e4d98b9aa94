"""Network: each node and each server of the bus in a network namespace of its own, with links to be cut.

There are three networks, as in a data centre: clients reach nodes by `front`, nodes reach the bus by `bus`
and PostgreSQL by `data`. A cut link drops packets, and tells nobody.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Literal

type Plane = Literal["front", "bus", "data"]

PLANES: Final[tuple[Plane, ...]] = ("front", "bus", "data")


class Network:
    """Members by name; this process is the first host of each plane."""

    def __init__(self) -> None:
        number = os.getpid() % 16_384
        self._prefix = f"f{number}"
        self._subnet = f"10.{64 + number // 256}.{number % 256}"
        self._hosts: dict[str, int] = {}
        self._links: dict[tuple[str, Plane], str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["Network"]:
        """The bridges of the planes; everything is gone after the block."""
        network = cls()
        try:
            for plane in PLANES:
                bridge = network._bridge(plane)
                _ip(
                    f"link add {bridge} type bridge",
                    f"addr add {network.address('', plane)}/26 dev {bridge}",
                    f"link set {bridge} up",
                )
            yield network
        finally:
            for member in network._hosts:
                _ip(f"netns del {network.namespace(member)}", check=False)
            for plane in PLANES:
                _ip(f"link del {network._bridge(plane)}", check=False)

    def add(self, member: str, planes: Iterable[Plane]) -> None:
        """A new namespace with a link to each of these planes."""
        host = self._hosts[member] = len(self._hosts) + 2
        namespace = self.namespace(member)
        _ip(f"netns add {namespace}", f"-n {namespace} link set lo up")
        for plane in planes:
            link = self._links[member, plane] = f"{self._prefix}{plane[0]}{host}"
            _ip(
                f"link add {link} type veth peer name {plane} netns {namespace}",
                f"link set {link} master {self._bridge(plane)} up",
                f"-n {namespace} addr add {self.address(member, plane)}/26 dev {plane}",
                f"-n {namespace} link set {plane} up",
            )

    def namespace(self, member: str) -> str:
        return f"{self._prefix}-{member}"

    def address(self, member: str, plane: Plane) -> str:
        """Of a member; of this process for an empty name."""
        return f"{self._subnet}.{PLANES.index(plane) * 64 + self._hosts.get(member, 1)}"

    def cut(self, member: str, *planes: Plane) -> None:
        """Drop what is sent to and by the member on these planes; all without names."""
        self._set(member, planes, "down")

    def join(self, member: str, *planes: Plane) -> None:
        self._set(member, planes, "up")

    def _set(self, member: str, planes: Iterable[Plane], state: str) -> None:
        own = [link for (one, plane), link in self._links.items() if one == member and plane in planes]
        _ip(*(f"link set {link} {state}" for link in own))

    def _bridge(self, plane: Plane) -> str:
        return f"{self._prefix}{plane}"


def _ip(*commands: str, check: bool = True) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=check, capture_output=True)


def network_trouble() -> str:
    """Why there can be no network namespaces here; empty where there can."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        return "network namespaces need Linux, root and ip"
    name = f"trial{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return "" if tried.returncode == 0 else f"no network namespace: {tried.stderr.decode().strip()}"
