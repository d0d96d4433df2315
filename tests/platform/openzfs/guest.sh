#!/bin/bash
# The first process of the machine that test.sh boots: makes a pool on the spare disk, runs the
# command in /payload/command with the pool's name in LAYERFS_TEST_POOL, and turns the machine off.
# Output and status leave by two virtio-serial ports. Everything else ends with the machine.
export PATH=/payload/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8 NO_COLOR=1 DENO_DIR=/payload/deno DENO_NO_UPDATE_CHECK=1
export LAYERFS_TEST_POOL=layerfs-test

# Without a status test.sh knows that the machine did not come to its tests.
trap 'busybox poweroff -nf' EXIT
set -eo pipefail

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
# /tmp stays on the disk: a tmpfs of Linux 6.1 has no user xattrs, which the tests compare.
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -sf "/proc/self/fd/${stream%:*}" "/dev/${stream#*:}"; done
hostname openzfs
busybox ip link set lo up

# port NAME: the device of the port that test.sh gave this name. No udev runs here to name it.
port() { echo "/dev/$(basename "$(dirname "$(grep -lx "$1" /sys/class/virtio-ports/*/name)")")"; }

# A port can be opened only once, but programs may open /dev/stderr again: a pipe stands between.
modprobe virtio_console
exec > >(exec cat >"$(port output)") 2>&1
output=$!

modprobe zfs
# A partition, as on a whole disk zpool would wait for udev.
echo ',,' | sfdisk --quiet /dev/vdb
zpool create -o cachefile=none -m none "$LAYERFS_TEST_POOL" /dev/vdb1
echo "OpenZFS $(cat /sys/module/zfs/version), Linux $(uname -r), ready after" \
  "$(cut -d ' ' -f 1 /proc/uptime) s"

mapfile -d '' -t command </payload/command
cd /payload/checkout
status=0
"${command[@]}" </dev/null || status=$?

# What is still in the pipe gets out; a process that the command left behind holds it for 5 s at most.
exec >/dev/console 2>&1
timeout 5 tail --sleep-interval=0.1 --pid="$output" --follow /dev/null || :
echo "$status" >"$(port status)"
