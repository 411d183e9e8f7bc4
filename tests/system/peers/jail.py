# SPDX-License-Identifier: MIT
"""A root directory of its own for a server that was built for fixed paths and fixed users.

Exim and OpenSMTPD exclude Postfix as packages, so `./dev packages` only unpacks them, below
build-peers/. Here a copy of such a tree gets the libraries that it needs, users, and a few devices,
all below the test's directory; chroot(8) makes it the root. Needs root.
"""
import os
import re
import shutil
import stat

from peers.stage import Failure, run

PEERS = os.path.join(os.path.dirname(__file__), '..', '..', '..', 'build-peers')

# Nothing here belongs to the system's users: the numbers only have to be unlike one another.
FIRST_UID = 990


class Jail:
    """root      the new root directory, as seen from outside; uids: {user: number}
    files     more files of this system that belong into it, at the same paths"""

    def __init__(self, stage, package, users, files=()):
        if os.getuid() != 0:
            raise Failure(f'{package} of our own needs root')
        self.stage = stage
        self.root = stage.subdirectory(package)
        source = os.path.realpath(os.path.join(PEERS, package))
        if not os.path.isdir(source):
            raise Failure(f'{source} is not there: run ./dev packages')
        self.uids = {user: FIRST_UID + i for i, user in enumerate(users)}
        programs = self._copy_tree(source) + [self._copy(path) for path in files]
        for library in sorted(needed_libraries(programs)):
            self._copy(library)
        self._make_system()

    def path(self, inside):
        return os.path.join(self.root, inside.lstrip('/'))

    def directory(self, inside, owner='root', mode=0o755):
        """Makes a directory; returns its path as seen from outside."""
        path = self.path(inside)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        uid = self.uids.get(owner, 0)
        os.chown(path, uid, uid)
        return path

    def write(self, inside, text, mode=0o644, owner='root'):
        path = self.path(inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.stage.write(path, text, mode)
        os.chown(path, self.uids.get(owner, 0), self.uids.get(owner, 0))
        return path

    def start(self, argv, **options):
        return self.stage.start(['chroot', self.root, *argv], **options)

    def run(self, argv, **options):
        return run(['chroot', self.root, *argv], **options)

    def _copy_tree(self, source):
        """Takes what a program is made of, without manuals; returns the programs."""
        programs = []
        for directory, _, names in os.walk(source):
            inside = os.path.relpath(directory, source)
            if inside.startswith(('usr/share', 'etc')):
                continue
            for name in names:
                path = os.path.join(directory, name)
                target = self.path(os.path.join(inside, name))
                place(path, target)
                if is_elf(target):
                    programs.append(target)
        return programs

    def _copy(self, path):
        target = self.path(path)
        if not os.path.exists(target):
            place(path, target)
        return target

    def _make_system(self):
        users = [('root', 0), *self.uids.items(), ('nobody', 65534)]
        self.write('etc/passwd', ''.join(
            f'{name}:x:{uid}:{uid}::/var/empty:/usr/sbin/nologin\n' for name, uid in users))
        self.write('etc/group', ''.join(f'{name}:x:{uid}:\n' for name, uid in users))
        self.write('etc/hosts', '127.0.0.1 localhost\n')
        self.write('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files\n')
        for name in 'tmp', 'var/tmp':
            self.directory(name, mode=0o1777)
        self.directory('var/empty')
        self.directory('run')
        if not os.path.lexists(self.path('var/run')):
            os.symlink('../run', self.path('var/run'))
        self.directory('dev')
        for name, number in (('null', (1, 3)), ('urandom', (1, 9))):
            try:
                os.mknod(self.path(f'dev/{name}'), stat.S_IFCHR | 0o666, os.makedev(*number))
                os.chmod(self.path(f'dev/{name}'), 0o666)
            except PermissionError:	# no devices in this container: an empty file has to do
                self.write(f'dev/{name}', '', 0o666)


def place(path, target):
    """A second name for the file where that is possible, else a copy. Symbolic links are followed."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    path = os.path.realpath(path)
    try:
        os.link(path, target)
    except OSError:
        shutil.copy2(path, target)


def is_elf(path):
    with open(path, 'rb') as stream:
        return stream.read(4) == b'\x7fELF'


def needed_libraries(programs):
    """The libraries, the loader among them, as the paths that the programs name."""
    found = set()
    for program in programs:
        if not is_elf(program):
            continue
        text = run(['ldd', program]).stdout.decode()
        if 'not found' in text:
            raise Failure(f'{program} lacks a library: {text}')
        found.update(re.findall(r'(?:=> )?(/\S+) \(0x', text))
    return found
