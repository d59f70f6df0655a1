"""What a process that meets hostile pixels gives up for good: memory without end, other programs, every network.

`systemd/gate-camera.service` takes away more (docs/adr/0018-camera-confinement.md); this holds as well where `gate run`
starts the camera itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource

from gate.errors import DeviceError

DATA_MAX_BYTES = 512 * 1024 * 1024
"""The most memory of its own (setrlimit(2), RLIMIT_DATA), which leaves out what a camera's driver maps."""
FILES_MAX = 256

_PR_SET_NO_NEW_PRIVS = 38  # prctl(2)
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM  # seccomp.h: SCMP_ACT_ALLOW, SCMP_ACT_ERRNO
_NOT_EQUAL, _GREATER = 1, 6  # seccomp.h: SCMP_CMP_NE, SCMP_CMP_GT
_ALL_THREADS = 4  # seccomp.h: SCMP_FLTATR_CTL_TSYNC
_AF_UNIX = 1

FORBIDDEN = (
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "pidfd_send_signal",
    "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "unshare", "setns", "mount", "umount2", "pivot_root",
    "chroot", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key",
    "init_module", "finit_module", "kexec_load", "open_by_handle_at",
)
"""System calls that reading frames never needs."""


class _Comparison(ctypes.Structure):
    """seccomp.h, scmp_arg_cmp: which argument, how it is compared, and with what."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def confine() -> None:
    """Give it all up, in every thread and for good: only the process's end lifts it.

    For the moment between the first frame, by which the camera's driver has opened all it needs, and its reading.

    Raises:
        DeviceError: libseccomp is not there, or the kernel takes no filter: then no frame is read.
    """
    for kind, most in ((resource.RLIMIT_DATA, DATA_MAX_BYTES), (resource.RLIMIT_NOFILE, FILES_MAX),
                       (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # cannot fail (prctl(2))
    _filter_system_calls()


def _filter_system_calls() -> None:
    """No sockets but Unix's, no other program, no reach into another process (seccomp(2))."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise DeviceError("a camera is not read unconfined: apt-get install libseccomp2") from error
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_release.argtypes = library.seccomp_load.argtypes = (ctypes.c_void_p,)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison))
    context = library.seccomp_init(_ALLOW)
    try:
        _check(library.seccomp_attr_set(context, _ALL_THREADS, 1), "all threads")
        for name in FORBIDDEN:
            if (number := library.seccomp_syscall_resolve_name(name.encode())) >= 0:  # below: not of this machine
                _check(library.seccomp_rule_add_array(context, _REFUSE, number, 0, None), name)
        for name, comparison in (
            ("socket", _Comparison(0, _GREATER, _AF_UNIX)),
            ("tgkill", _Comparison(0, _NOT_EQUAL, os.getpid())),
            ("prlimit64", _Comparison(0, _NOT_EQUAL, 0)),
        ):
            number = library.seccomp_syscall_resolve_name(name.encode())
            _check(library.seccomp_rule_add_array(context, _REFUSE, number, 1, ctypes.byref(comparison)), name)
        _check(library.seccomp_load(context), "the filter")
    finally:
        library.seccomp_release(context)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise DeviceError(f"a camera is not read unconfined, and seccomp failed at {what}: {os.strerror(-result)}")
