/** Users that are looked up in the root only, whatever its accounts are. */

import { assert, assertEquals } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { character, dir, fifo, file, pax, symlink } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import {
  configOf,
  create,
  imageOf as image,
  type Members,
  rejects,
  UP,
  withWorkspace,
  type Workspace,
} from "./harness.ts";

const PASSWD = [
  "root:x:0:0:root:/root:/bin/sh",
  "# a comment",
  "broken",
  "web:x:33:44:web:/var/www:/bin/sh",
  "123:x:5:6::/:/bin/sh",
  "plus:x:7:8",
  "+nis::::::",
  "last:x:9:10::/:/bin/sh",
].join("\n");
const GROUP = [
  "root:x:0:",
  "web:x:44:",
  "extra:x:55:web,last",
  "more:x:66:other,web",
  "broken",
  "77:x:78:",
].join("\n");
const BASE = [dir("etc"), file("etc/passwd", PASSWD), file("etc/group", GROUP)];

/** Registers a test: the image with this user is refused. */
function userRefused(name: string, user: string, members: Members = BASE, says = [user]): void {
  rejects(`user ${name}`, (w) => image(w, members, { User: user }), {
    code: "image-invalid",
    says,
  });
}

/**
 * Whether this user may run a container as `expected`: an ordinary user whom the host grants no
 * subordinate ids has user 0 only, and must be told so.
 */
async function hasIds(w: Workspace, spec: ImageSpec, expected: Json): Promise<boolean> {
  const { reference } = imageLayout(`${w.dir}/probe`, spec);
  try {
    await create(w, reference);
    return true;
  } catch (error) {
    assert(error instanceof LayerfsError && error.code === "privilege-missing", String(error));
    assert(expected.uid !== 0 || expected.gid !== 0);
    return false;
  }
}

/** Registers a test: the user is looked up as told. */
function userIs(name: string, user: string, expected: Json, members: Members = BASE): void {
  Deno.test(`accepted: user ${name}`, () =>
    withWorkspace(async (w) => {
      const spec = image(w, members, { User: user });
      if (!IS_ROOT && !await hasIds(w, spec, expected)) return;
      const config = await configOf(w, spec);
      const { umask: _, ...found } = (config.process as Json).user as Json;
      assertEquals(found, expected);
    }));
}

userIs("is not given", "", { uid: 0, gid: 0 });
userIs("by number", "33", { uid: 33, gid: 44, additionalGids: [55, 66] });
userIs("by number that nobody has", "1234", { uid: 1234, gid: 0 });
userIs("and group by number", "1234:5678", { uid: 1234, gid: 5678 });
userIs("by name", "web", { uid: 33, gid: 44, additionalGids: [55, 66] });
userIs("of the last line", "last", { uid: 9, gid: 10, additionalGids: [55] });
userIs("and group by name", "web:extra", { uid: 33, gid: 55 });
userIs("by name, group by number", "web:99", { uid: 33, gid: 99 });
userIs("by number, group by name", "99:web", { uid: 99, gid: 44 });
userIs("with the largest ids", "4294967294:4294967294", { uid: 4294967294, gid: 4294967294 });
userIs("by number without any passwd", "12:13", { uid: 12, gid: 13 }, [file("x")]);
userIs("root without any passwd", "0", { uid: 0, gid: 0 }, [file("x")]);
userIs("from a passwd that is a symlink inside", "web", { uid: 33, gid: 44 }, [
  dir("etc"),
  symlink("etc/passwd", "/usr/lib/passwd"),
  file("usr/lib/passwd", PASSWD),
]);
userIs("from an etc that is a symlink inside", "web", { uid: 33, gid: 44 }, [
  symlink("etc", UP + "real"),
  file("real/passwd", PASSWD),
]);

userIs("by numbers, whatever passwd is", "12:13", { uid: 12, gid: 13 }, [
  dir("etc"),
  fifo("etc/passwd"),
  fifo("etc/group"),
]);

userRefused("that nobody is", "nobody");
userRefused("without any passwd", "web", [file("x")]);
userRefused("with a group that is not there", "web:none", BASE, ["none"]);
for (
  const id of [
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "99999999999999999999",
    "-1",
    "+1",
  ]
) {
  userRefused(`with uid ${id}`, id);
  userRefused(`with gid ${id}`, `0:${id}`, BASE, [id]);
}
for (const user of ["web:", ":web", ":", "web:extra:more", "0x10", "1e3", "1.5", " web", "we\nb"]) {
  userRefused(`written as ${JSON.stringify(user)}`, user, BASE, []);
}
for (const uid of ["4294967296", "4294967295", "-1", "", "zero", "99999999999999999999", "0x0"]) {
  const line = (id: string) => [dir("etc"), file("etc/passwd", `evil:x:${id}:0::/:/bin/sh\n`)];
  userRefused(`whose line has uid "${uid}"`, "evil", line(uid), []);
}
for (const gid of ["4294967296", "-1", "zero"]) {
  userRefused(`whose line has gid "${gid}"`, "evil", [
    dir("etc"),
    file("etc/passwd", `evil:x:1:${gid}::/:/bin/sh\n`),
  ], []);
}

/** The canary has a passwd of its own, in which "evil" is root. */
function evilPasswd(w: Workspace): string {
  Deno.writeTextFileSync(`${w.canary}/passwd`, "evil:x:0:0::/:/bin/sh\n");
  Deno.writeTextFileSync(`${w.canary}/group`, "evil:x:0:\n");
  return w.canary;
}
userRefused("by a passwd that is an absolute symlink out", "evil", (w) => [
  dir("etc"),
  symlink("etc/passwd", `${evilPasswd(w)}/passwd`),
]);
userRefused("by a passwd that is a relative symlink out", "evil", (w) => [
  dir("etc"),
  symlink("etc/passwd", UP + evilPasswd(w).slice(1) + "/passwd"),
]);
userRefused("by an etc that is a symlink out", "evil", (w) => [symlink("etc", evilPasswd(w))]);
userRefused("by a chain of symlinks out", "evil", (w) => [
  symlink("etc", "a"),
  symlink("a", "/b"),
  symlink("b", evilPasswd(w)),
]);
userRefused("by a group that is a symlink out", "0:evil", (w) => [
  dir("etc"),
  symlink("etc/group", `${evilPasswd(w)}/group`),
], ["evil"]);
userRefused("by a passwd that is a loop", "web", [
  symlink("etc/passwd", "group"),
  symlink("etc/group", "passwd"),
]);
userRefused("by a passwd that is a FIFO", "web", [dir("etc"), fifo("etc/passwd")], []);
userRefused("by a group that is a FIFO", "web:web", [
  dir("etc"),
  file("etc/passwd", PASSWD),
  fifo("etc/group"),
], []);
userRefused("by a passwd that is a directory", "web", [dir("etc/passwd")], []);
userRefused("by a passwd below a file", "web", [file("etc")], []);
userRefused("by a passwd of 1 GiB", "web", [
  dir("etc"),
  pax({ "GNU.sparse.map": "1073741824,0", "GNU.sparse.size": "1073741824" }),
  file("etc/passwd"),
], []);
if (IS_ROOT) {
  userRefused("by a passwd that is an endless device", "web", [
    dir("etc"),
    character("etc/passwd", 1, 5),
  ], []);
}
