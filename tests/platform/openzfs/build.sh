#!/bin/bash
# Builds what boots a virtual machine with the kernel's OpenZFS, from Debian's packages.
#
#   build.sh 2.1|2.3 DIR  (root; network to a Debian mirror; three to four minutes, 1.5 GB meanwhile)
#
# 2.1 is Debian 12's OpenZFS with its Linux 6.1; 2.3 comes from bookworm-backports, with Linux 6.12.
# Debian has OpenZFS as source only, in its component contrib: a chroot with a compiler builds the
# modules, loses the compiler and becomes the machine's disk.
#
# DIR/linux, DIR/initrd  what qemu boots
# DIR/disk               the root filesystem, ext4; init is /payload/guest.sh, of another disk
# DIR/versions           of each package in it
# DIR appears under its name last, when it is complete. What this same script has already made is
# kept as it is.
set -euo pipefail

series=$1
dir=$(realpath --canonicalize-missing "$2")
case $series in
  2.1) release=bookworm ;;
  2.3) release=bookworm-backports ;;
  *) echo "build.sh: no OpenZFS $series here; take 2.1 or 2.3" >&2; exit 2 ;;
esac

# Tests may want the machine at the same time. --close keeps the lock from what the build may leave
# running; the build's mounts live and die in a mount namespace of its own.
if [ "${LAYERFS_OPENZFS_LOCK:-}" != "$dir" ]; then
  mkdir -p "$(dirname "$dir")"
  LAYERFS_OPENZFS_LOCK=$dir exec flock --close "$dir.lock" \
    unshare --mount --propagation private -- bash "$0" "$series" "$dir"
fi
sum=$(sha256sum <"$0")
[ "$(cat "$dir/built-by" 2>/dev/null)" != "$sum" ] || exit 0

export LC_ALL=C DEBIAN_FRONTEND=noninteractive TZ=UTC
umask 022
part=$dir.part
root=$part/root

remove_part() { rm -rf --one-file-system -- "$part"; }
remove_part
trap remove_part EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$part"

# What the machine needs, beside Debian's essential packages: tests start GNU tar, find, mount and
# their like; busybox makes and is the initial RAM disk. Then, what only the build needs.
packages=(
  zfsutils-linux kmod mount fdisk procps attr acl libcap2-bin libarchive-tools zstd xz-utils
  busybox-static
  dkms gcc make libc6-dev linux-headers-amd64
)

# mirror SUITE DEFAULT: where this machine's apt gets SUITE from.
mirror() {
  local url
  url=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' |
    awk -v suite="$1" '$2 == suite && !seen++ { print $1 }')
  echo "${url:-$2}"
}

# The sources of the chroot. The machine's own are not changed: they need not have contrib.
sources() {
  local debian security
  debian=$(mirror bookworm http://deb.debian.org/debian)
  security=$(mirror bookworm-security http://deb.debian.org/debian-security)
  echo "deb $debian bookworm main contrib"
  echo "deb $debian bookworm-updates main contrib"
  echo "deb $security bookworm-security main contrib"
  [ "$release" = bookworm ] || echo "deb $debian $release main contrib"
}

# Of a release that is not the plain one, take the kernel and OpenZFS alone.
preferences() {
  [ "$release" != bookworm ] || return 0
  echo 'Package: linux-* zfs* libzfs* libzpool* libnvpair* libuutil*'
  echo "Pin: release n=$release"
  echo 'Pin-Priority: 900'
}

# The zfs-dkms package compiles the modules while it is installed: that is the longest part. KCFLAGS
# spares it debugging symbols, which would be cut off anyway (Linux 6.12 makes its BTF of them and
# fails without). The kernel's package is only fetched, as installed it would want an initial RAM
# disk of its own.
make_root() {
  local include
  include=$(IFS=,; echo "${packages[*]}")
  preferences >"$part/preferences"
  sources >"$part/sources"
  [ "$release" != bookworm ] || export KCFLAGS=-g0
  mmdebstrap --mode=root --variant=apt --include="$include" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --setup-hook="cp '$part/preferences' \"\$1/etc/apt/preferences.d/release\"" \
    --customize-hook='chroot "$1" apt-get install -y zfs-dkms' \
    --customize-hook='cd "$1/root" && chroot "$1" sh -c "cd /root &&
      apt-get download linux-image-\$(basename /lib/modules/*-amd64)"' \
    bookworm "$root" "$part/sources"
}

# Backports move on: what is called 2.3 must be that.
check_version() {
  local version
  version=$(chroot "$root" dpkg-query --show --showformat '${Version}' zfs-dkms)
  case $version in
    "$series".*) ;;
    *) echo "build.sh: $release has OpenZFS $version now, not $series" >&2; return 1 ;;
  esac
}

# The kernel with those of its modules that a virtual machine may use.
add_kernel() {
  local linux
  dpkg-deb --fsys-tarfile "$root"/root/linux-image-*.deb |
    tar --extract --directory "$root" --keep-directory-symlink
  mv "$root"/boot/vmlinuz-* "$part/linux"
  linux=$(basename "$root"/lib/modules/*-amd64)
  (
    cd "$root/lib/modules/$linux/kernel"
    rm -rf sound drivers/{gpu,media,infiniband,iio,hwmon,usb,staging,scsi,mmc,net}
  )
  chroot "$root" depmod "$linux"
}

# The initial RAM disk: busybox, and the modules that reach the disk.
make_initrd() {
  local linux module file number=10
  linux=$(basename "$root"/lib/modules/*-amd64)
  mkdir -p "$root"/initrd/{bin,dev,root,modules}
  cp "$root/bin/busybox" "$root/initrd/bin/"
  for module in virtio_pci virtio_blk ext4; do
    chroot "$root" modprobe --set-version "$linux" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$part/modules"
  while read -r file; do
    case $file in
      *.xz) chroot "$root" xz -dc "$file" ;;
      *) cat "$root$file" ;;
    esac >"$root/initrd/modules/$number.ko"
    number=$((number + 1))
  done <"$part/modules"
  write_init >"$root/initrd/init"
  chmod 755 "$root/initrd/init"
  chroot "$root" busybox sh -c 'cd initrd && busybox find . | busybox cpio -o -H newc' >"$part/initrd"
}

# The initial RAM disk's init: mounts the root filesystem, unpacks the payload (a tar archive on a
# disk of its own) into its memory and goes on there. A machine that cannot is off.
write_init() {
  cat <<'INIT'
#!/bin/busybox sh
fail() { /bin/busybox echo "initrd: $1"; /bin/busybox poweroff -f; }
/bin/busybox mount -t devtmpfs dev /dev
for module in /modules/*; do /bin/busybox insmod "$module" || fail "cannot load $module"; done
for _ in $(/bin/busybox seq 100); do
  [ -b /dev/vdc ] && break
  /bin/busybox usleep 100000
done
/bin/busybox mount -t ext4 /dev/vda /root || fail "cannot mount the root filesystem"
/bin/busybox mount -t tmpfs -o mode=755,size=75% payload /root/payload || fail "no tmpfs"
/bin/busybox tar -x -f /dev/vdc -C /root/payload || fail "cannot unpack the payload"
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root /payload/guest.sh
INIT
}

# What was there for the build goes; what is left becomes the disk, with room for the tests.
make_disk() {
  chroot "$root" dpkg-query --show >"$part/versions"
  rm -rf "$root"/initrd "$root"/root/linux-image-*.deb "$root"/usr/{src,include,lib/gcc} \
    "$root"/var/lib/dkms "$root"/var/cache "$root"/boot
  mkdir "$root/payload"
  echo openzfs >"$root/etc/hostname"
  ln -sf /proc/self/mounts "$root/etc/mtab"
  # Sparse. Without a journal, as it is never written to: qemu keeps changes elsewhere.
  mke2fs -q -t ext4 -O ^has_journal -d "$root" "$part/disk" 3G
}

echo "building a machine with OpenZFS $series of Debian's $release: three to four minutes" >&2
# Not "|| status=$?" in the loop: in what stands before it, a failing command would end nothing.
for step in make_root check_version add_kernel make_initrd make_disk; do
  SECONDS=0
  set +e
  (set -e; "$step") >"$part/log" 2>&1
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$part/log" >&2
    echo "build.sh: $step failed, see above" >&2
    exit 1
  fi
  echo "$step: $SECONDS s" >&2
done

rm -rf --one-file-system -- "$root" "$part"/{log,modules,preferences,sources}
printf %s "$sum" >"$part/built-by"
rm -rf -- "$dir"
mv "$part" "$dir"
