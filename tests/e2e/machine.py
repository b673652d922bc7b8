"""This machine as its tenants might try to reach it: addresses, listeners, probes."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading

FIB = "/proc/net/fib_trie"
LOCAL = re.compile(r"-- ([0-9.]+)\n +/32 host LOCAL")
LOOPBACK = "127."

# Tries to connect to each [host, port]; {"host port": "open" or why not}.
CONNECT = """
import concurrent.futures, errno, json, socket, sys
targets = json.loads(sys.argv[1])
def look(target):
    host, port = target
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(2)
        try:
            sock.connect((host, port))
        except TimeoutError:
            return "no answer"
        except OSError as error:
            return errno.errorcode[error.errno]
        return "open"
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    found = list(pool.map(look, targets))
print(json.dumps({f"{h} {p}": f for (h, p), f in zip(targets, found)}))
"""

SEND = """
import json, socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    for host, port in json.loads(sys.argv[1]):
        try:
            sock.sendto(sys.argv[2].encode(), (host, port))
        except OSError:
            pass
print("null")
"""

# A bridge without ports carries an address as a dummy interface would, and is there
# wherever Docker is.
ADD_ADDRESS = """
import fcntl, signal, socket, struct, sys
name, address = sys.argv[1].encode(), sys.argv[2]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def set_flags(flags):
    fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", name, flags))
def set_address(call, value):
    sockaddr = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
    fcntl.ioctl(sock, call, struct.pack("16s16s", name, sockaddr))
def remove(*_):
    try:
        set_flags(0)
        fcntl.ioctl(sock, 0x89A1, name + bytes(1))
    except OSError:
        pass
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
remove()
fcntl.ioctl(sock, 0x89A0, name + bytes(1))
try:
    set_address(0x8916, address)
    set_address(0x891C, "255.255.255.255")
    set_flags(1)
    print("ready", flush=True)
    signal.pause()
finally:
    remove()
"""


def addresses():
    """The IPv4 addresses of this machine, loopback excepted."""
    with open(FIB, encoding="ascii") as file:
        found = set(LOCAL.findall(file.read()))
    return sorted(address for address in found if not address.startswith(LOOPBACK))


def is_local(address):
    """Whether the address is this machine's own, so that it may be contacted."""
    with socket.socket() as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
        return True


def connect(targets):
    """What ``CONNECT`` finds from the machine itself."""
    done = subprocess.run(
        [sys.executable, "-c", CONNECT, json.dumps(targets)],
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


@contextlib.contextmanager
def listening(address="0.0.0.0"):
    """Accept connections; gives the port."""
    with socket.create_server((address, 0), backlog=128) as server:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def address_added(engine, stack, address):
    """This machine has one more address, on an interface of its own."""
    interface = f"{stack[:9]}-link"
    container = engine.containers.run(
        "saas-odoo:19.0",
        ["-c", ADD_ADDRESS, interface, address],
        entrypoint="python3",
        user="0",
        network_mode="host",
        cap_drop=["ALL"],
        cap_add=["NET_ADMIN"],
        labels={"saas.stack": stack},
        healthcheck={"test": ["NONE"]},
        detach=True,
    )
    try:
        for line in container.logs(stream=True):
            if line.strip() == b"ready":
                break
        yield
    finally:
        container.stop(timeout=10)
        container.remove(v=True, force=True)
