# SPDX-License-Identifier: Apache-2.0
"""The kernel and the first file system of the soft-RoCE guest, from Debian's own kernel package.

The package lies in ``build/soft-roce`` (``tools/tickwire`` puts it there); unpacked are only the
kernel and the modules that the guest loads. What was made is kept until package or script change.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "soft-roce"
INIT = Path(__file__).with_name("soft_roce_init.sh")
PACKAGES = "linux-image-*.deb"

MODULES = (
    "crc32_generic",  # rdma_rxe can't be loaded without it
    "virtio_pci",
    "9pnet_virtio",
    "9p",  # this machine's files
    "overlay",  # made writable
    "dummy",
    "veth",
    "ib_uverbs",
    "rdma_ucm",
    "rdma_rxe",
)
"""What the guest loads; what these stand on is found in ``modules.dep``."""

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "rdma": "iproute2",
}
"""Programs that guest and image need, and the packages they come in."""


class GuestError(RuntimeError):
    """The guest can't be made or run; the message is one line."""


def program(name: str) -> str:
    """Path of a program; raises :class:`GuestError` that names its package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise GuestError(f"{name} is missing: install {PROGRAMS[name]}")
    return found


def kernel_package() -> Path:
    """The newest kernel package in the build folder; raises :class:`GuestError`."""
    found = sorted(FOLDER.glob(PACKAGES), key=lambda path: path.stat().st_mtime)
    if not found:
        raise GuestError(
            f"no {PACKAGES} in {FOLDER}: tools/tickwire test --soft-roce downloads it, "
            "where apt-get has it"
        )
    return found[-1]


def _run(*command: str, **options: object) -> None:
    done = subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GuestError(f"{Path(command[0]).name}: {said[-1] if said else done.returncode}")


def load_order(dependencies: str, wanted: tuple[str, ...]) -> list[str]:
    """Module files in the order to load them, from the text of ``modules.dep``.

    Raises :class:`GuestError` where the kernel has none of that name.
    """
    lines = dict(line.split(":", 1) for line in dependencies.splitlines() if ":" in line)
    paths = {Path(path).name.split(".")[0]: path for path in lines}
    order: list[str] = []
    for name in wanted:
        if name not in paths:
            raise GuestError(f"the kernel package has no module {name}")
        # modules.dep lists what a module stands on with the nearest first.
        for path in (*reversed(lines[paths[name]].split()), paths[name]):
            if path not in order:
                order.append(path)
    return order


def _unpack(package: Path, folder: Path) -> None:
    """Kernel and first file system of one package into ``folder``."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix="unpack-") as scratch:
        unpacked = Path(scratch) / "package"
        _run(program("dpkg-deb"), "-x", str(package), str(unpacked))
        releases = list((unpacked / "lib" / "modules").iterdir())
        kernels = list((unpacked / "boot").glob("vmlinuz-*"))
        if len(releases) != 1 or len(kernels) != 1:
            raise GuestError(f"{package.name} is no kernel package")
        _run(program("depmod"), "-b", str(unpacked), releases[0].name)
        order = load_order((releases[0] / "modules.dep").read_text(), MODULES)
        first = Path(scratch) / "initramfs"
        for name in ("bin", "modules", "proc", "sys", "dev", "lower", "memory", "new"):
            (first / name).mkdir(parents=True)
        shutil.copy(program("busybox"), first / "bin" / "busybox")
        shutil.copy(INIT, first / "init")
        (first / "init").chmod(0o755)
        for number, path in enumerate(order):
            shutil.copy(releases[0] / path, first / "modules" / f"{number:02}-{Path(path).name}")
        names = sorted(str(path.relative_to(first)) for path in first.rglob("*"))
        packed = subprocess.run(
            [program("cpio"), "--quiet", "-o", "-H", "newc"],
            input="\n".join(names).encode(),
            cwd=first,
            capture_output=True,
            check=True,
        ).stdout
        shutil.copy(kernels[0], folder / "vmlinuz")
        (folder / "initramfs.gz").write_bytes(gzip.compress(packed, 6))


def prepare() -> tuple[Path, Path]:
    """Kernel and initramfs, made if they are not there; raises :class:`GuestError`."""
    package = kernel_package()
    for name in PROGRAMS:
        program(name)
    made_from = f"{package.name} {package.stat().st_size} {MODULES}".encode()
    wanted = hashlib.sha256(made_from + INIT.read_bytes()).hexdigest()
    stamp = FOLDER / "stamp"
    kernel, first = FOLDER / "vmlinuz", FOLDER / "initramfs.gz"
    if not (stamp.exists() and stamp.read_text() == wanted and kernel.exists() and first.exists()):
        _unpack(package, FOLDER)
        stamp.write_text(wanted)
    return kernel, first
