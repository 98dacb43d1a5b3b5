# SPDX-License-Identifier: Apache-2.0
"""A machine for a test: systemd as the first process of namespaces of its own,
over a copy-on-write view of this machine's files. Nothing that happens in there
reaches this one: its own network with a loopback, its own /run, /tmp and /dev,
and system settings that cannot be written.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SECONDS = 60

# $1 is an empty folder. Of the units that any service waits for, only the
# journal's are left: the others look after real machines. Not chroot, in which
# no user namespace could be made.
BOOT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" \
    none "$1/root"
cd "$1/root"
mount -t proc none proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro none sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs none run
mount -t tmpfs none tmp
mount -t tmpfs -o mode=755 none dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
rm -rf etc/systemd/system usr/lib/systemd/system/*.wants
mkdir etc/systemd/system
echo 0123456789abcdef0123456789abcdef >etc/machine-id
cat >etc/systemd/system/test.target <<'END'
[Unit]
Description=The journal, and what a test starts
Requires=systemd-journald.socket systemd-journald.service
END
pivot_root . mnt
cd /
umount -l mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other \
    setpriv --bounding-set -sys_module,-sys_time,-sys_rawio \
    /lib/systemd/systemd --system --unit=test.target --log-target=journal
"""


def enter(namespace):
    """setns(), which Python itself has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def cgroup_folder():
    """Where the second version of control groups is mounted, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, options = line.split()[:4]
        if kind == "cgroup2" and "rw" in options.split(","):
            return pathlib.Path(folder)
    return None


class Machine:
    """Started by start(), which answers why it cannot be."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nd-machine-"))
        self.group = None
        self.process = None
        self.first = 0

    def start(self):
        if os.geteuid() != 0:
            return "only root can start a machine"
        for program in ("/lib/systemd/systemd", "/usr/bin/nsenter"):
            if not os.path.exists(program):
                return f"{program} is not installed"
        parent = cgroup_folder()
        if parent is None:
            return "there are no control groups (version 2) to write to"
        self.group = parent / self.folder.name
        try:
            self.group.mkdir()
        except OSError as error:
            self.group = None
            return f"no control group can be made: {error}"
        log = open(self.folder / "log", "wb")
        view = self.folder / "view"
        view.mkdir()
        self.process = subprocess.Popen(
            ["sh", "-c", f"echo $$ >{self.group}/cgroup.procs && exec unshare "
             "--mount --pid --cgroup --net --ipc --uts --fork --kill-child "
             "sh -c \"$0\" sh \"$1\"", BOOT, view],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        log.close()
        return self.wait_for_boot()

    def wait_for_boot(self):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = (self.folder / "log").read_text(errors="replace")
                return "a machine cannot be started here: " + said.strip()[-300:]
            children = pathlib.Path(f"/proc/{self.process.pid}/task/"
                                    f"{self.process.pid}/children")
            for word in children.read_text().split():
                self.first = int(word)
                if self.run("systemctl", "is-active", "test.target",
                            check=False).strip() == "active":
                    return None
            time.sleep(0.1)
        return f"no systemd after {SECONDS} s"

    @property
    def root(self):
        """Its files, as seen from here."""
        return pathlib.Path(f"/proc/{self.first}/root")

    def run(self, *command, check=True):
        """Runs a command in there, and answers what it prints."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.first), "-m", "-p", "-n", "-i", "-u",
             "-C", "-r", "-w", *map(str, command)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=SECONDS, check=False)
        assert not check or done.returncode == 0, (command, done.stdout)
        return done.stdout

    @contextlib.contextmanager
    def network(self):
        """Sockets that this thread makes meanwhile are in there."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        other = os.open(f"/proc/{self.first}/ns/net", os.O_RDONLY)
        try:
            enter(other)
            yield
        finally:
            enter(own)
            os.close(own)
            os.close(other)

    def stop(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.group is not None:
            self.remove_groups()
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_groups(self):
        """Once the processes in there are gone, which takes a moment."""
        deadline = time.monotonic() + SECONDS
        while self.group.exists() and time.monotonic() < deadline:
            for folder, _, _ in os.walk(self.group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            time.sleep(0.02)
