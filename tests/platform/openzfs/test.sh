#!/bin/bash
# Runs the tests of tests/zfs on the kernel's OpenZFS, in a virtual machine under software emulation.
#
#   test.sh [2.1|2.3]... [-- COMMAND [ARG...]]    (root; network to a Debian mirror and npm)
#
# Each version is a machine of its own, without a network: 2.1 with Linux 6.1 and 2.3 with Linux
# 6.12; both without an argument. COMMAND is run instead of the tests, as root in a copy of the
# checkout, where LAYERFS_TEST_POOL names a pool: test.sh 2.3 -- zfs list
#
# LAYERFS_OPENZFS_CACHE    what build.sh made and what Deno fetched (/var/tmp/layerfs-openzfs-cache)
# LAYERFS_OPENZFS_TIMEOUT  seconds for one machine (3000)
# LAYERFS_OPENZFS_ACCEL    qemu's accelerator (tcg, as a machine may not have kvm)
#
# Exit status: 0; that of the last command that failed; 124 where a machine took too long; 125 where
# one could not be started or ended without a result.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(realpath "$here/../../..")
cache=${LAYERFS_OPENZFS_CACHE:-/var/tmp/layerfs-openzfs-cache}
limit=${LAYERFS_OPENZFS_TIMEOUT:-3000}

fail() {
  echo "test.sh: $1" >&2
  exit 125
}

versions=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
    2.1) versions+=(2.1:bookworm) ;;
    2.3) versions+=(2.3:bookworm-backports) ;;
    *) fail "no OpenZFS $1 here; take 2.1 or 2.3" ;;
  esac
  shift
done
[ ${#versions[@]} -gt 0 ] || versions=(2.1:bookworm 2.3:bookworm-backports)
[ $# -eq 0 ] || shift
# Everything takes ten times as long here, so less is tried than on zfs-fuse. Types are checked by
# `deno task check`: here that would take minutes. The tests of removal come last and alone: they make
# mount namespaces, which hold every dataset that is mounted at that moment.
tests='
  run() { deno task --quiet test:pool --no-check --cached-only "$@" || status=1; }
  status=0
  export LAYERFS_CONTRACT_LAYERS=20
  mkdir others
  mv tests/zfs/removal.zfs.ts others
  run --parallel
  mv tests/zfs/*.zfs.ts others
  mv others/removal.zfs.ts tests/zfs
  run
  exit $status'
command=("$@")
[ $# -gt 0 ] || command=(bash -c "$tests")

for needed in qemu-system-x86_64:qemu-system-x86 mmdebstrap:mmdebstrap mke2fs:e2fsprogs; do
  [ -n "$(type -P "${needed%:*}")" ] ||
    fail "no program \"${needed%:*}\"; apt install ${needed#*:}"
done
[ -n "$(type -P deno)" ] || fail 'no program "deno"; run `deno task test:openzfs`'
[ "$(id -u)" = 0 ] || fail "not root: a chroot is made for the machine"

work=$(mktemp -d "${TMPDIR:-/tmp}/layerfs-openzfs.XXXXXX")
machine=
clean_up() {
  [ -z "$machine" ] || { kill "$machine" && wait "$machine"; } 2>/dev/null || :
  rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The archive that the machine unpacks: Deno, the packages that the tests import, the sources, the
# command. Fetched into a directory of its own, which a user's cache cannot complete unseen.
make_payload() {
  local payload=$work/payload
  (
    cd "$checkout"
    DENO_DIR=$cache/deno deno cache --quiet --frozen mod.ts src/layer/*_worker.ts tests/zfs/*.zfs.ts
  )
  mkdir -p "$payload"/{bin,checkout}
  cp "$here/guest.sh" "$payload/"
  cp "$(deno eval -p 'Deno.execPath()')" "$payload/bin/deno"
  cp -r "$cache/deno" "$payload/"
  (cd "$checkout" && cp -r deno.json deno.lock mod.ts src tests wasm "$payload/checkout/")
  printf '%s\0' "${command[@]}" >"$payload/command"
  tar --create --file "$work/payload.tar" --directory "$payload" .
  rm -rf -- "$payload"
}

# boot DIR: the machine, in the background. All that it writes to is thrown away. Its output goes
# through a pipe, as qemu would cut a file that it opens. It ends with this script, however that ends.
# tsc: of the emulated clocks the one that is read without leaving the emulated program.
boot() {
  rm -f "$work"/{pool,status}
  truncate -s 16G "$work/pool"
  setpriv --pdeathsig TERM timeout --kill-after=5 "$limit" qemu-system-x86_64 \
    -M q35 -accel "${LAYERFS_OPENZFS_ACCEL:-tcg,thread=multi,tb-size=1024}" -cpu max -smp 2 -m 4G \
    -nodefaults -display none -no-reboot -serial "file:$work/console" \
    -kernel "$1/linux" -initrd "$1/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=tsc" \
    -drive "if=virtio,format=raw,snapshot=on,cache=unsafe,file=$1/disk" \
    -drive "if=virtio,format=raw,cache=unsafe,file=$work/pool" \
    -drive "if=virtio,format=raw,readonly=on,file=$work/payload.tar" \
    -device virtio-rng-pci -device virtio-serial-pci \
    -chardev file,id=output,path=/dev/stdout -device virtserialport,chardev=output,name=output \
    -chardev "file,id=status,path=$work/status" -device virtserialport,chardev=status,name=status \
    </dev/null >&3 2>"$work/qemu" 3>&- &
  machine=$!
}

# test_on VERSION:RELEASE: sets $status to how the command ended.
test_on() {
  local reader
  echo "== OpenZFS ${1%:*}"
  "$here/build.sh" "${1%:*}" "$cache/${1#*:}" || fail "there is no machine to test on"
  exec 3> >(exec cat)
  reader=$!
  boot "$cache/${1#*:}"
  exec 3>&-
  status=0
  wait "$machine" || status=$?
  machine=
  wait "$reader" || :
  # 137: it did not heed the first signal.
  case $status in
    0) status=$(cat "$work/status" 2>/dev/null) ;;
    124 | 137) status=124 ;;
    *) status= ;;
  esac
  [ -n "$status" ] || { status=125; echo "test.sh: the machine ended without a result" >&2; }
  [ "$status" -ne 124 ] || echo "test.sh: the machine was ended after $limit s" >&2
  [ "$status" -lt 124 ] || tail -n 40 "$work"/{qemu,console} >&2
}

make_payload
result=0
for version in "${versions[@]}"; do
  test_on "$version"
  [ "$status" -eq 0 ] || result=$status
done
exit "$result"
