"""Starts a unit's command under the unit's own restrictions, where no systemd runs: `confine.py UNIT [ARGUMENT...]`.

Held are account, folders, read-only file system, capabilities, system calls with their arguments, address families and memory that is writable and
executable. Not held are what needs systemd itself (control groups, devices) and namespaces of users and processes.
"""

import ctypes
import errno
import grp
import os
import pwd
import shlex
import subprocess
import sys

import seccomp

CLONE_NEWNS = 0x00020000
NAMESPACES = 0x7E020080
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_NET_ADMIN": 12, "CAP_SYS_PTRACE": 19}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


def read_unit(path):
    """Settings of [Service], each a list of its values."""
    settings, section = {}, ""
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


def expand(names):
    """Names of system calls, groups of systemd resolved."""
    calls = set()
    for name in names:
        if name.startswith("@"):
            text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
            members = [line.split("#")[0].strip() for line in text.splitlines()[1:]]
            calls |= expand([member for member in members if member])
        else:
            calls.add(name)
    return calls


def make_filter(settings):
    allowed = expand(["@default", "execve"])
    for value in settings["SystemCallFilter"]:
        if value.startswith("~"):
            allowed -= expand(value[1:].split()) - expand(["@default"])
        else:
            allowed |= expand(value.split())
    wanted = [FAMILIES[name] for name in settings["RestrictAddressFamilies"][0].split()]
    masked, equal = seccomp.MASKED_EQ, seccomp.EQ
    conditions = {
        "mmap": [[seccomp.Arg(2, masked, PROT_WRITE | PROT_EXEC, v)] for v in (0, PROT_WRITE, PROT_EXEC)],
        "mprotect": [[seccomp.Arg(2, masked, PROT_EXEC, 0)]],
        "pkey_mprotect": [[seccomp.Arg(2, masked, PROT_EXEC, 0)]],
        "shmat": [[seccomp.Arg(2, masked, SHM_EXEC, 0)]],
        "socket": [[seccomp.Arg(0, equal, family)] for family in wanted],
        "clone": [[seccomp.Arg(0, masked, NAMESPACES, 0)]],
        "unshare": [[seccomp.Arg(0, masked, NAMESPACES, 0)]],
        "sched_setscheduler": [[seccomp.Arg(1, equal, policy)] for policy in (0, 3, 5)],
        "setns": [],
        "clone3": [],
    }
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    for name in sorted(allowed):
        try:
            for condition in conditions.get(name, [[]]):
                rules.add_rule(seccomp.ALLOW, name, *condition)
        except (RuntimeError, OSError):
            continue  # A call that this machine does not have.
    return rules


def make_folders(settings, uid, gid):
    """The unit's folders, and which of them it may write."""
    writable = [path for value in settings.get("ReadWritePaths", []) for path in value.split()]
    for name, base, default in (("State", "/var/lib", "0755"), ("Runtime", "/run", "0755"), ("Logs", "/var/log", "0755")):
        for value in settings.get(f"{name}Directory", []):
            path = f"{base}/{value}"
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(settings.get(f"{name}DirectoryMode", [default])[0], 8))
            os.chown(path, uid, gid)
            writable.append(path)
    return writable


def close_file_system(settings, writable):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount = lambda *arguments: subprocess.run(["mount", *arguments], check=True)
    mount("--make-rprivate", "/")
    for path in writable:
        mount("--bind", path, path)
    if "yes" in settings.get("PrivateTmp", []):
        mount("-t", "tmpfs", "tmpfs", "/tmp")
    mount("-o", "remount,bind,ro", "/")


def drop_capabilities(settings):
    libc = ctypes.CDLL(None)
    keep = {CAPABILITIES[name] for name in settings["CapabilityBoundingSet"][0].split()}
    for number in range(64):
        if number not in keep and libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


def command_line(settings):
    environment = {}
    for value in settings.get("Environment", []):
        name, text = value.strip('"').split("=", 1)
        environment[name] = text
    words = []
    for word in settings["ExecStart"][0].split():
        words += shlex.split(environment.get(word[1:], "")) if word.startswith("$") else [word]
    return words


def main():
    settings = read_unit(sys.argv[1])
    user = pwd.getpwnam(settings["User"][0])
    gid = grp.getgrnam(settings["Group"][0]).gr_gid if "Group" in settings else user.pw_gid
    close_file_system(settings, make_folders(settings, user.pw_uid, gid))
    rules = make_filter(settings)
    words = command_line(settings) + sys.argv[2:]
    os.umask(int(settings["UMask"][0], 8))
    drop_capabilities(settings)
    os.setgroups(os.getgrouplist(user.pw_name, gid))
    os.setgid(gid)
    os.setuid(user.pw_uid)
    os.chdir("/")
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": user.pw_dir, "LANG": "C.UTF-8"}
    rules.load()
    os.execve(words[0], words, environment)


main()
