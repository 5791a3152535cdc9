#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the soft-RoCE guest: loads the modules, puts this machine's files (read-only, over
# 9p) under a writable overlay in memory, and goes on in tickwire_guest, a script among those files.
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
stop() { echo "tickwire-guest: $*"; echo o >/proc/sysrq-trigger; $bb sleep 60; }

for module in /modules/*.ko; do
    $bb insmod "$module" || stop "cannot load $module"
done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 files /lower \
    || stop "cannot mount the files"
$bb mount -t tmpfs -o mode=0755 memory /memory
$bb mkdir /memory/upper /memory/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work overlay /new \
    || stop "cannot mount the overlay"
for name in proc sys dev; do
    $bb mount --move /$name /new/$name
done
exec $bb switch_root /new /bin/sh "$tickwire_guest"
