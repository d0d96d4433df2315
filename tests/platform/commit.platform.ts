/** Images that are made of containers: umoci unpacks them to the container's tree, skopeo reads them. */

import { assertEquals, assertMatch } from "@std/assert";
import { readTree } from "./compare.ts";
import { assertTree, image, Layerfs, must, run, Work } from "./harness.ts";

/** What an administrator does to a system, and some that nobody does. */
const CHANGES = String.raw`
cd "$1"
rm -r usr/share/base-passwd
echo 'web:x:1234:1234::/:/bin/sh' >> etc/passwd
sed -i s/root/toor/ etc/group
chmod 700 opt; chown 7:8 srv
ln etc/passwd etc/passwd.link
ln usr/bin/env usr/local/env
mv usr/share/dpkg usr/share/dpkg2
rm -r home; echo file > home
mkdir -p new/deep; echo > new/deep/$'r\xff'; touch -d @1.000000001 new/deep
setfattr -n user.layerfs -v 1 usr/bin/env
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 usr/bin/id
mknod new/null c 1 3; mkfifo new/fifo; ln new/fifo new/fifo2; ln -s nowhere new/link`;

/** Some of the lines that diff prints of them. */
const WANTED = [
  "M /etc/passwd",
  "A /etc/passwd.link",
  "D /usr/share/base-passwd",
  "A /usr/share/dpkg2",
  "M /home",
];

for (const driver of ["overlay", "directory"]) {
  Deno.test(`${driver}: a committed image is the container's tree`, async () => {
    await using work = await Work.create("disk");
    const layerfs = await Layerfs.inside(work, ["--driver", driver]);
    for (const id of ["web", "again"]) {
      work.defer(() => run(layerfs.argv(["rm", "--force", id])));
    }
    const { rootfs } = await layerfs.create(["--name", "web", await image("base")]);
    assertEquals(await must(layerfs.argv(["diff", "web"])), "");
    await must(["bash", "-ec", CHANGES, "bash", rootfs]);
    await must(layerfs.argv(["unmount", "web"]));
    const diff = (await must(layerfs.argv(["diff", "web"]))).split("\n");
    for (const line of WANTED) {
      assertEquals(diff.filter((other) => other === line), [line]);
    }
    assertMatch(await must(layerfs.argv(["commit", "web", "web:2"])), /^sha256:[0-9a-f]{64}\n$/);
    await must(layerfs.argv(["mount", "web"]));
    const expected = await readTree(rootfs);
    const again = await layerfs.create(["--name", "again", "web:2"]);
    await assertTree(again.rootfs, expected);
    await must(["umoci", "unpack", "--image", `${layerfs.store}:web:2`, work.path("bundle")]);
    await assertTree(work.path("bundle/rootfs"), expected);
    const config = ["skopeo", "inspect", "--config", `oci:${layerfs.store}:web:2`];
    const { history, rootfs: { diff_ids } } = JSON.parse(await must(config));
    assertEquals(history.at(-1).created_by, "layerfs commit");
    assertEquals(diff_ids.length, again.layers.total);
    assertEquals((await run(layerfs.argv(["fsck"]))).code, 0);
    await must(layerfs.argv(["rm", "web", "again"]));
  });
}
