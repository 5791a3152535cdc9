# SPDX-License-Identifier: Apache-2.0
"""The soft-RoCE guest's parts that need no guest: load order, the end's mark, what is missing."""

import os
import random
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tools import soft_roce, soft_roce_image
from tools.soft_roce_image import GuestError, load_order
from tools.verbs.test import command

DEPENDENCIES = """\
kernel/a/top.ko.xz: kernel/b/middle.ko.xz kernel/c/bottom.ko.xz
kernel/b/middle.ko.xz: kernel/c/bottom.ko.xz
kernel/c/bottom.ko.xz:
kernel/d/other.ko.xz: kernel/c/bottom.ko.xz
"""


def test_modules_are_loaded_after_what_they_stand_on():
    assert load_order(DEPENDENCIES, ("top", "other")) == [
        "kernel/c/bottom.ko.xz",
        "kernel/b/middle.ko.xz",
        "kernel/a/top.ko.xz",
        "kernel/d/other.ko.xz",
    ]
    with pytest.raises(GuestError, match="no module absent"):
        load_order(DEPENDENCIES, ("absent",))


def test_without_a_kernel_package_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(soft_roce_image, "FOLDER", tmp_path)
    with pytest.raises(GuestError, match="no linux-image") as caught:
        soft_roce_image.prepare()
    assert "\n" not in str(caught.value)


def test_a_missing_program_names_its_package(monkeypatch):
    monkeypatch.setattr(soft_roce_image.shutil, "which", lambda *_, **__: None)
    with pytest.raises(GuestError, match=r"cpio is missing: install cpio"):
        soft_roce_image.program("cpio")


def test_paths_with_blanks_are_refused(tmp_path):
    with pytest.raises(GuestError, match="blank"):
        soft_roce.check_paths(tmp_path / "a folder")


def test_the_verb_is_a_usage_error_without_a_guest(monkeypatch):
    def refuse():
        raise GuestError("cpio is missing: install cpio")

    monkeypatch.setattr(soft_roce_image, "prepare", refuse)
    done = CliRunner().invoke(command, ["--soft-roce"])
    assert done.exit_code == 1
    assert "cpio is missing" in done.output


def test_the_end_is_found_however_the_words_arrive():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    token = "tickwire-exit-0123"
    for _ in range(30):
        words = "".join(rng.choice("\ntick-wre 01") for _ in range(rng.randrange(300))).encode()
        code = rng.randrange(256)
        whole = words + f"\n{token} {code}\n".encode()
        cuts = sorted(rng.randrange(len(whole)) for _ in range(rng.randrange(20)))
        pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        got = follow(pieces, token)
        assert got == (code, words)


def test_only_the_rdma_tests_run_in_the_guest_unless_others_are_named():
    assert soft_roce.with_tests([]) == ["tests/rdma"]
    assert soft_roce.with_tests(["-k", "slow", "-v"]) == ["-k", "slow", "-v", "tests/rdma"]
    one = "tests/rdma/test_guest.py::test_an_active_port"
    assert soft_roce.with_tests(["-v", one]) == ["-v", one]


def test_an_end_without_a_code_is_none():
    assert follow([b"some words\ntickwire-exi"], "tickwire-exit") == (
        None,
        b"some words\ntickwire-exi",
    )


def follow(pieces, token):
    read, write = os.pipe()
    said = []
    with os.fdopen(read, "rb") as end:

        class Guest:
            stdout = end

        for piece in pieces:  # far less than a pipe holds
            os.write(write, piece)
        os.close(write)
        return soft_roce._follow(Guest(), token, said.append), b"".join(said)


def test_ctrl_c_ends_the_run_and_the_child(tmp_path, monkeypatch):
    """A guest that hangs is killed; its folder is removed."""
    monkeypatch.setattr(soft_roce, "prepare", lambda: (tmp_path, tmp_path))
    child = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
    monkeypatch.setattr(soft_roce, "command_line", lambda *_: child)
    started = []
    monkeypatch.setattr(
        soft_roce,
        "start",
        lambda _, command, **options: started.append(popen(command, options)) or started[0],
    )

    def stop(words):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        soft_roce.run(["true"], 30, stop)
    assert started[0].returncode is not None
    with pytest.raises(GuestError, match="not done in 1 s"):
        started.clear()
        soft_roce.run(["true"], 1, lambda words: None)
    assert started[0].returncode is not None


def popen(command, options):
    return subprocess.Popen(command, **options)
