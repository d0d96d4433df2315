#!/bin/bash
# with_zfs_fuse.sh COMMAND [ARG...]: runs COMMAND beside a real ZFS pool of its own.
#
# The pool is served by a zfs-fuse daemon of its own, in a mount namespace of its own: neither a
# daemon nor a pool that exists already is seen or touched, and any number may run at once. COMMAND
# finds the pool's name in LAYERFS_TEST_POOL. Pool, daemon and files are gone when this ends.
#
# LAYERFS_TEST_POOL_SIZE  size of the sparse file below the pool (8G)
# LAYERFS_TEST_POOL_DIR   directory for that file; must not be on ZFS itself (/var/tmp)
#
# Exit status: that of COMMAND; 6 where zfs-fuse, root or /dev/fuse is missing; 7 where the daemon or
# the pool does not come up, or cannot be cleaned up.
set -euo pipefail

fail() {
  echo "with_zfs_fuse.sh: $2" >&2
  exit "$1"
}

[ $# -ge 1 ] || { sed -n '2,/^set/{s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

if [ "${LAYERFS_ZFS_FUSE_NAMESPACE:-}" != "$$" ]; then
  for program in zfs-fuse zfs zpool; do
    [ -n "$(type -P "$program")" ] ||
      fail 6 "cannot make a test pool: no program \"$program\"; apt install zfs-fuse"
  done
  [ "$(id -u)" = 0 ] || fail 6 "cannot make a test pool: not root"
  [ -c /dev/fuse ] || fail 6 "cannot make a test pool: no /dev/fuse; modprobe fuse"
  # exec keeps the process id, by which the second start of this script knows itself.
  export LAYERFS_ZFS_FUSE_NAMESPACE=$$
  exec unshare --mount --propagation private -- bash "$0" "$@"
fi
unset LAYERFS_ZFS_FUSE_NAMESPACE

# Where zfs-fuse has its socket, its lock and its list of pools: empty ones, seen by us alone.
for directory in /run/zfs /run/lock/zfs /var/lib/zfs; do
  mkdir -p "$directory"
  mount -t tmpfs -o size=16m,mode=755 layerfs-test "$directory"
done

work=
daemon=
pool=
command=

# The status of the command stays, unless the cleaning up itself fails.
clean_up() {
  local status=$?
  trap '' INT TERM HUP
  trap - EXIT
  if [ -n "$pool" ] && ! destroy_pool; then status=7; fi
  if [ -n "$daemon" ]; then end_daemon; fi
  [ -z "$work" ] || rm -rf -- "$work"
  exit "$status"
}

# A mount that was busy a moment ago may need another try.
destroy_pool() {
  local said=
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    said=$(zpool destroy -f "$pool" 2>&1) && return 0
    sleep 0.3
  done
  echo "with_zfs_fuse.sh: cannot destroy the pool $pool: $said" >&2
  return 1
}

end_daemon() {
  kill -TERM "$daemon" 2>/dev/null || :
  for _ in $(seq 50); do
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$daemon" 2>/dev/null || :
  wait "$daemon" 2>/dev/null || :
}

# $1: the status to end with. The command gets the signal too, and is waited for.
interrupted() {
  trap '' INT TERM HUP
  if [ -n "$command" ]; then
    kill -TERM "$command" 2>/dev/null || :
    wait "$command" 2>/dev/null || :
  fi
  exit "$1"
}

trap clean_up EXIT
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

work=$(mktemp -d "${LAYERFS_TEST_POOL_DIR:-/var/tmp}/layerfs-test-pool.XXXXXX")
ulimit -n "$(ulimit -Hn)"

# --pdeathsig: nothing is left of the daemon even where this script is killed with SIGKILL.
setpriv --pdeathsig KILL \
  zfs-fuse --no-daemon --enable-xattr --no-kstat-mount >"$work/daemon.log" 2>&1 </dev/null &
daemon=$!
for attempt in $(seq 100); do
  zpool list >/dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || fail 7 "zfs-fuse has ended: $(cat "$work/daemon.log")"
  [ "$attempt" != 100 ] || fail 7 "zfs-fuse does not answer: $(cat "$work/daemon.log")"
  sleep 0.1
done

truncate -s "${LAYERFS_TEST_POOL_SIZE:-8G}" "$work/disk"
LAYERFS_TEST_POOL="layerfs-test-${work##*.}"
zpool create -o cachefile=none -m none "$LAYERFS_TEST_POOL" "$work/disk" ||
  fail 7 "cannot create the pool $LAYERFS_TEST_POOL"
pool=$LAYERFS_TEST_POOL
export LAYERFS_TEST_POOL

# In the background, so that a signal to this script is acted on at once; ended with this script,
# too, where that is killed with SIGKILL, which leaves nothing but the file below /var/tmp.
setpriv --pdeathsig TERM -- "$@" <&0 &
command=$!
status=0
wait "$command" || status=$?
command=
exit "$status"
