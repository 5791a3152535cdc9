#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Second half of the soft-RoCE guest's start, on this machine's files: network, an RDMA device, the
# command. tickwire_run is the folder with the command (from the kernel's command line); everything
# the command says goes to the second serial line, its exit code follows in a line of its own.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 NO_COLOR=1 TERM=dumb
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw
trap 'echo o >/proc/sysrq-trigger; sleep 60' EXIT
mkdir -p /dev/shm /dev/pts
mount -t tmpfs memory /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs memory /run
ulimit -l unlimited
ip link set lo up
ip link add roce0 type dummy
ip address add 10.84.87.1/24 dev roce0
ip link set roce0 up
rdma link add rxe0 type rxe netdev roce0
mkfifo /run/said    # no terminal: nobody paints progress bars
cat /run/said &
. "$tickwire_run/command.sh" >/run/said 2>&1
code=$?
wait
echo
echo "$tickwire_token $code"
