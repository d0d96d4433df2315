#!/bin/bash
# Builds the real images of the platform tests and of bench/peers.ts, and what they are compared with.
#
#   image.sh DIR          (root; network to a Debian mirror; about 80 s, 1 GB)
#
# DIR/image      an OCI layout with four tags. "bench" has these layers: 1 Debian by mmdebstrap,
#                2 packages (Python, Node, git), 3 deletions and replacements (these two written by
#                `umoci repack`), 4 what only GNU tar writes (pax times, xattrs, sparse files, devices,
#                opaque directories, odd names), 5 many small files, 6 large ones. "debian" has two more,
#                7 a hardlink to a file of a lower layer, which buildah's overlay storage cannot read,
#                8 a file whose owner is beyond 2^31, which zfs-fuse cannot have.
#                "base" is layer 1. "replaced" is small: directories with children become other things.
# DIR/reference  bundle of `umoci unpack` of "debian"
# DIR/replaced   the tree that "replaced" was packed from (umoci's own unpacking of it loses a file)
# The layout appears under its name last, when everything is complete. What this same script has
# already made is kept as it is.
set -euo pipefail

mkdir -p "$1"
work=$(realpath "$1")

# Test files and the benchmark may want the images at the same time. --close keeps the lock from
# what apt may leave running.
if [ "${LAYERFS_IMAGE_LOCK:-}" != "$work" ]; then
  LAYERFS_IMAGE_LOCK=$work exec flock --close "$work/lock" "$0" "$work"
fi
sum=$(sha256sum <"$0")
if [ -e "$work/image" ] && [ "$(cat "$work/built-by" 2>/dev/null)" = "$sum" ]; then
  exit 0
fi

part=$work/image.part
bundle=$work/image.bundle
tree=$work/image.tree
tag=$part:debian
root=$bundle/rootfs
export LC_ALL=C DEBIAN_FRONTEND=noninteractive TZ=UTC

rm -rf "$part" "$bundle" "$tree"
trap 'rm -rf "$part" "$bundle" "$tree" "$work"/image.tar' EXIT

# The machine's own Debian sources (they may name a mirror), or mmdebstrap's default.
sources=()
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
  if [ -s "$file" ]; then
    sources=("$file")
    break
  fi
done

add_tar() { umoci raw add-layer --image "$tag" --history.created_by "$2" "$1" && rm "$1"; }
repack() { umoci repack --image "$tag" --refresh-bundle --history.created_by "$1" "$bundle"; }

# configure TAG: writes the image's configuration, under another tag too.
configure() {
  umoci config --image "$tag" --tag "$1" --architecture amd64 --os linux \
    --config.entrypoint /bin/sh --config.cmd -c --config.cmd 'cat /etc/os-release' \
    --config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    --config.env LAYERFS_TEST=platform --config.workingdir /srv \
    --config.label org.example.made-by=image.sh
}

echo "layer 1: debian" >&2
mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' \
  --dpkgopt=force-unsafe-io bookworm "$work/image.tar" "${sources[@]}"
umoci init --layout "$part"
umoci new --image "$tag"
add_tar "$work/image.tar" mmdebstrap
configure base
umoci unpack --image "$tag" "$bundle"

echo "layer 2: packages" >&2
# The mounts live and die in a mount namespace of their own.
unshare --mount --propagation private bash -euo pipefail -c '
  mount -t proc proc "$1/proc"
  mount -t tmpfs tmpfs "$1/tmp"
  mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
  chroot "$1" apt-get -qq update
  chroot "$1" apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Options::=--force-unsafe-io python3 nodejs git >/dev/null
  chroot "$1" apt-get clean
' packages "$root" >&2
mkdir "$root"/srv/{emptied,gone,to-file,to-link,opaque,opaque/below}
echo lower >"$root"/srv/emptied/file
echo lower >"$root"/srv/gone/file
echo lower >"$root"/srv/opaque/hidden
echo lower >"$root"/srv/opaque/below/hidden
echo lower >"$root"/srv/to-directory
echo lower >"$root"/srv/mode
echo lower >"$root"/srv/owner
echo lower >"$root"/srv/time
echo lower >"$root"/srv/content
echo linked >"$root"/srv/first
ln "$root"/srv/first "$root"/srv/second
ln "$root"/srv/first "$root"/srv/third
ln -s to-directory "$root"/srv/link-to-directory
repack "apt-get install python3 nodejs git"

echo "layer 3: deletions and replacements" >&2
rm -rf "$root"/usr/share/doc "$root"/var/lib/apt/lists "$root"/srv/gone "$root"/srv/emptied/file
rm -rf "$root"/srv/to-file "$root"/srv/to-link "$root"/srv/to-directory "$root"/srv/link-to-directory
echo upper >"$root"/srv/to-file
ln -s ../etc "$root"/srv/to-link
mkdir "$root"/srv/to-directory "$root"/srv/link-to-directory
echo upper >"$root"/srv/to-directory/file
chmod 4711 "$root"/srv/mode
chown 1000:2000 "$root"/srv/owner
touch -d 2001-02-03T04:05:06 "$root"/srv/time
echo upper >"$root"/srv/content
rm "$root"/srv/second
chmod 1777 "$root"/srv
cp -a "$root"/usr/bin/perl "$root"/usr/local/bin/perl-copy
mv "$root"/usr/share/common-licenses "$root"/usr/share/renamed-licenses
repack "delete and replace"

echo "layer 4: what tar can hold" >&2
mkdir -p "$tree"/srv/{opaque,odd} "$tree"/usr/bin
cd "$tree/srv"
touch opaque/.wh..wh..opq
echo upper >opaque/shown
touch .wh.emptied .wh.never-existed
cd odd
mkfifo -m 640 fifo
mknod -m 660 character c 5 1
mknod -m 600 block b 7 200
echo setuid >setuid && chown 1:2 setuid && chmod 6755 setuid
echo capable >capable && setcap cap_net_raw,cap_net_bind_service+ep capable
echo xattrs >xattrs && setfattr -n user.note -v 'a value' xattrs && setfattr -n user.bytes -v 0xff00fe0a3d xattrs
mkdir directory && setfattr -n user.note -v 'of a directory' directory && echo child >directory/child
ln -s 'target with spaces' "link with
newline"
echo latin >"$(printf 'caf\351')"
mkdir "$(printf 'dir\377')" && echo x >"$(printf 'dir\377/nested\200')"
ln -s "$(printf 'caf\351')" to-latin
ln "$(printf 'caf\351')" hard-to-latin
echo unicode >'näme-名前-🦀'
ln 'näme-名前-🦀' hard-to-unicode
long=$(printf 'n%.0s' {1..200})
mkdir -p "$long/$long" && echo deep >"$long/$long/$long"
ln -s "$long/$long/$long" long-link && ln "$long/$long/$long" long-hard
truncate -s 64M sparse && for at in 0 5000000 40000000; do
  printf 'data at %s' "$at" | dd of=sparse bs=1 seek="$at" conv=notrunc status=none
done
truncate -s 3M hole
: >empty
echo before-epoch >old && touch -d 1965-06-07T08:09:10.123456789 old
echo fraction >fraction && touch -d 2020-01-02T03:04:05.000000001 fraction
touch -h -d 2019-01-02T03:04:05.987654321 to-latin
touch -d 2011-12-13T14:15:16.5 directory
cd "$tree"
tar --create --file "$work/image.tar" --format=pax --pax-option=delete=atime,delete=ctime --sparse \
  --xattrs --xattrs-include='*' --sort=name --numeric-owner .
add_tar "$work/image.tar" "GNU tar, pax"
rm -rf "$tree"

echo "layer 5: small files" >&2
mkdir -p "$tree/opt/small"
cd "$tree/opt/small"
awk 'BEGIN {
  for (d = 0; d < 200; d++) {
    dir = sprintf("d%03d", d); system("mkdir " dir)
    for (f = 0; f < 60; f++) {
      name = sprintf("%s/f%02d.txt", dir, f); n = (d * 7 + f * 13) % 90
      for (i = 0; i <= n; i++) printf "line %d of file %d in %d\n", i, f, d >name
      close(name)
    }
  }
}'
cd "$tree"
tar --create --file "$work/image.tar" --format=gnu --sort=name --mtime=@1600000000 --numeric-owner \
  --owner=0 --group=0 opt
add_tar "$work/image.tar" "small files"
rm -rf "$tree"

echo "layer 6: large files" >&2
mkdir -p "$tree/opt/large"
cd "$tree/opt/large"
# A keystream does not compress; the text does, about as programs do.
head -c 48M /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >incompressible
seq -f 'record %09.0f of the large file' 4000000 >text
cat "$root"/usr/bin/node "$root"/usr/lib/*/libnode.so.* 2>/dev/null | head -c 64M >programs
cd "$tree"
tar --create --file "$work/image.tar" --format=ustar --mtime=@1600000001 --numeric-owner \
  --owner=0 --group=0 opt
add_tar "$work/image.tar" "large files"

configure debian
umoci tag --image "$tag" bench

echo "layer 7: a hardlink to a file of layer 2" >&2
mkdir -p "$tree/srv"
cd "$tree"
echo linked >srv/first
touch -r "$root/srv/first" srv/first
ln srv/first srv/hard-to-lower
# The file's own entry, a header and one block of data, is cut off: the link's stays.
tar --create --format=ustar --numeric-owner srv/first srv/hard-to-lower | tail -c +1025 >"$work/image.tar"
add_tar "$work/image.tar" "hardlink"
rm -rf "$tree"

echo "layer 8: an owner that zfs-fuse does not take" >&2
mkdir -p "$tree/srv"
cd "$tree"
echo owner >srv/far-owner
touch -d @1600000002 srv/far-owner
chmod 0 srv/far-owner
chown 3000000000:2999999999 srv/far-owner
tar --create --file "$work/image.tar" --format=gnu --numeric-owner srv/far-owner
add_tar "$work/image.tar" "far owner"
rm -rf "$tree"

echo "image replaced: directories that are not empty become files and links" >&2
# On its own: umoci writes whiteouts below the new file, which umoci reads and buildah refuses.
rm -rf "$bundle"
umoci new --image "$part:replaced"
umoci unpack --image "$part:replaced" "$bundle"
mkdir -p "$root"/{to-file,to-link,to-fifo}/below "$root/elsewhere"
echo lower | tee "$root"/{to-file,to-link,to-fifo}/{,below/}file >"$root/elsewhere/file"
# umoci writes times in whole seconds.
find "$root" -exec touch -h -d @1700000000 {} +
umoci repack --image "$part:replaced" --refresh-bundle "$bundle"
rm -r "$root"/to-*
echo upper >"$root/to-file"
ln -s elsewhere "$root/to-link"
mkfifo "$root/to-fifo"
find "$root" -exec touch -h -d @1700000000 {} +
umoci repack --image "$part:replaced" "$bundle"

umoci gc --layout "$part"
rm -rf "$work"/{image,reference,replaced}
mv "$root" "$work/replaced"
echo "unpacking debian by umoci" >&2
umoci unpack --image "$tag" "$work/reference"
mv "$part" "$work/image"
printf %s "$sum" >"$work/built-by"
