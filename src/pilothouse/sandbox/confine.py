"""Walls round this process: what it may read and how much it may use go in; what the kernel really closed comes out.

Called once, in a process of its own, before anything of a user is imported and before a second thread begins: each of
these walls holds for the threads that come after it. There is no way back out.

    namespaces   a network without any interface, and no power over anything outside
    landlock     files below the named folders may be read, one folder may be written, nothing may be executed
    seccomp      no socket, no other process and no look into one; threads are allowed
    limits       memory, processor time, size of a file, open files

Sources: landlock(7), seccomp(2), unshare(2), user_namespaces(7); numbers of system calls from the kernel's tables.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_SET_DUMPABLE = 38, 22, 4
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READ: Final = _READ_FILE | _READ_DIR
# Every right of the first version: making, removing and writing of all kinds of files; later versions add to them.
_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_WRITE: Final = _READ | _WRITE_FILE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8  # remove and make folders and plain files
_TRUNCATE: Final = 1 << 14
_NETWORK_RIGHTS: Final = 0b11  # bind and connect of TCP, since the fourth version
_SCOPES: Final = 0b11  # abstract sockets and signals, since the sixth

# Numbers of what is refused: by name, on both kinds of processor that this runs on.
_REFUSED: Final = {
    "x86_64": {
        "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "execve": 59, "execveat": 322, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311, "mount": 165, "umount2": 166, "bpf": 321, "keyctl": 250,
        "add_key": 248, "request_key": 249, "io_uring_setup": 425, "open_by_handle_at": 304, "userfaultfd": 323,
        "perf_event_open": 298, "kexec_load": 246, "pidfd_getfd": 438, "setns": 308, "unshare": 272, "init_module": 175,
        "fork": 57, "vfork": 58,
    },
    "aarch64": {
        "socket": 198, "socketpair": 199, "connect": 203, "bind": 200, "execve": 221, "execveat": 281, "ptrace": 117,
        "process_vm_readv": 270, "process_vm_writev": 271, "mount": 40, "umount2": 39, "bpf": 280, "keyctl": 219,
        "add_key": 217, "request_key": 218, "io_uring_setup": 425, "open_by_handle_at": 265, "userfaultfd": 282,
        "perf_event_open": 241, "kexec_load": 104, "pidfd_getfd": 438, "setns": 268, "unshare": 97, "init_module": 105,
    },
}  # fmt: skip
_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_CLONE3: Final = 435
_CLONE_THREAD: Final = 0x00010000
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT: Final = 0x40000000

_SYSTEM: Final = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache",
    "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/proc/self/maps",
    "/sys/devices/system/cpu",
)  # fmt: skip
"""What an interpreter and its numeric libraries read besides their own folders."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a confined process may use.

    memory_bytes   address space, which is more than what is really filled
    cpu_s          seconds of processor time over its whole life
    file_bytes     size of any file that it writes
    """

    memory_bytes: int = 4 * 2**30
    cpu_s: int = 3_600
    file_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Walls:
    """Which walls stand.

    network, files, calls   the namespace, landlock, seccomp
    missing                 what the kernel would not give, in words; empty where all stand
    """

    network: bool
    files: bool
    calls: bool
    missing: tuple[str, ...]

    @property
    def hold(self) -> bool:
        """Say whether code that nobody vouches for may run behind them."""
        return self.files and self.network and self.calls


def confine(readable: Iterable[Path], writable: Path, bounds: Bounds) -> Walls:
    """Wall this process in; returns what stands. What the kernel lacks is named and is no error: the caller decides.

    readable   folders and files that may be read, besides what the interpreter itself needs
    writable   the one folder that may be written
    """
    _limit(bounds)
    libc = ctypes.CDLL(None, use_errno=True)
    missing: list[str] = []
    network = _try(lambda: _without_network(libc), "a network of its own", missing)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    files = _try(lambda: _landlock(libc, [*readable, *interpreter_needs()], writable), "landlock", missing)
    calls = _try(lambda: _seccomp(libc), "seccomp", missing)
    return Walls(network, files, calls, tuple(missing))


def interpreter_needs() -> list[Path]:
    """Return what must be readable for Python and its installed libraries to be imported."""
    found = {Path(entry) for entry in (*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix) if entry}
    return [*sorted(found), *(Path(name) for name in _SYSTEM)]


def _try(build: Callable[[], None], name: str, missing: list[str]) -> bool:
    try:
        build()
    except OSError as error:
        missing.append(f"{name} ({error.strerror or error})")
        return False
    return True


def _limit(bounds: Bounds) -> None:
    for what, most in (
        (resource.RLIMIT_AS, bounds.memory_bytes),
        (resource.RLIMIT_CPU, bounds.cpu_s),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(what)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (least, least))


def _failed(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _without_network(libc: ctypes.CDLL) -> None:
    _failed(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC))


def _landlock(libc: ctypes.CDLL, readable: Sequence[Path], writable: Path) -> None:
    """Close the file system but for what is named."""
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        raise OSError(ctypes.get_errno() or errno.ENOSYS, "this kernel has none")
    rights = _RIGHTS[max(number for number in _RIGHTS if number <= version)]
    ruled = struct.pack("<QQQ", rights, _NETWORK_RIGHTS if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _failed(libc.syscall(_LANDLOCK_CREATE, ruled, ctypes.c_size_t(size), 0))
    try:
        for path in readable:
            _allow(libc, rules, path, _READ)
        _allow(libc, rules, writable, (_WRITE | _TRUNCATE) & rights)
        _failed(libc.syscall(_LANDLOCK_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    """Open one path and all below it; what does not exist needs no rule."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not path.is_dir():
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        rule = struct.pack("<Qi", rights, place)
        _failed(libc.syscall(_LANDLOCK_ADD, rules, _PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _seccomp(libc: ctypes.CDLL) -> None:
    """Refuse the system calls that lead out, with EPERM; another word size than our own ends the process."""
    machine = platform.machine()
    if machine not in _REFUSED:
        raise OSError(errno.ENOSYS, f"no table for {machine}")
    numbers = sorted(_REFUSED[machine].values())
    refuse, end, allow = 0x00050000 | errno.EPERM, 0x80000000, 0x7FFF0000
    unheard = 0x00050000 | errno.ENOSYS
    load, equal, at_least, has, give = 0x20, 0x15, 0x35, 0x45, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, _AUDIT_ARCH[machine]), (give, 0, 0, end), (load, 0, 0, 0)]
    if machine == "x86_64":
        program += [(at_least, 0, 1, _X32_BIT), (give, 0, 0, end)]
    # A thread may begin, a process may not. The newer call hides its flags behind a pointer, so it is said not to
    # exist, and the C library takes the older one.
    program += [(equal, 0, 1, _CLONE3), (give, 0, 0, unheard)]
    program += [
        (equal, 0, 4, _CLONE[machine]),
        (load, 0, 0, 16),
        (has, 0, 1, _CLONE_THREAD),
        (give, 0, 0, allow),
        (give, 0, 0, refuse),
    ]
    for place, number in enumerate(numbers):
        program.append((equal, len(numbers) - place, 0, number))
    program += [(give, 0, 0, allow), (give, 0, 0, refuse)]
    packed = b"".join(struct.pack("<HBBI", *line) for line in program)
    kept = ctypes.create_string_buffer(packed, len(packed))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.c_void_p))

    whole = Program(len(program), ctypes.cast(kept, ctypes.c_void_p))
    _failed(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0))
