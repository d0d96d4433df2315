/** Users, working directories, volumes and names that lead out of the root or the store. */

import { assert, assertEquals } from "@std/assert";
import { imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { character, dir, fifo, file, pax, symlink, tarball } from "../fixtures/tar.ts";
import { describe, f, IS_ROOT, l } from "../fixtures/tree.ts";
import {
  assertCreated,
  assertFails,
  assertRefused,
  create,
  type CreateOptions,
  GOOD_LAYER,
  prepared,
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

type Members = readonly Uint8Array[] | ((w: Workspace) => readonly Uint8Array[]);

function image(w: Workspace, members: Members, run: Json): ImageSpec {
  return {
    layers: [{ tar: tarball(typeof members === "function" ? members(w) : members) }],
    run,
  };
}

/** Registers a test: the image with this user is refused. */
function userRefused(name: string, user: string, members: Members = BASE, says = [user]): void {
  rejects(`user ${name}`, (w) => image(w, members, { User: user }), {
    code: "image-invalid",
    says,
  });
}

/** Makes a container and reads its config.json. */
async function configOf(w: Workspace, spec: ImageSpec, o: CreateOptions = {}): Promise<Json> {
  const { reference } = imageLayout(`${w.dir}/image`, spec);
  const before = await describe(w.canary, true);
  const { bundle } = await create(w, reference, o);
  assertEquals(await describe(w.canary, true), before);
  return JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
}

/** Registers a test: the user is looked up as told. */
function userIs(name: string, user: string, expected: Json, members: Members = BASE): void {
  Deno.test(`accepted: user ${name}`, () =>
    withWorkspace(async (w) => {
      const config = await configOf(w, image(w, members, { User: user }));
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

for (
  const [name, path] of [
    ["relative", "work"],
    ["up", "../../x"],
    ["of a leaked descriptor (CVE-2024-21626)", "/proc/self/fd/7"],
    ["of a leaked descriptor, hidden", "/x/../proc//self/fd/7"],
  ] as const
) {
  rejects(`working directory ${name}`, {
    layers: [{ tar: tarball(BASE) }],
    run: { WorkingDir: path },
  }, {
    code: "image-invalid",
    says: ["WorkingDir", path],
  });
}
rejects("no command at all", {
  layers: [{ tar: tarball(BASE) }],
  run: { Cmd: null, Entrypoint: [] },
}, { code: "image-invalid", says: ["command"] });

Deno.test("accepted: labels with the names of everything are only annotations", () =>
  withWorkspace(async (w) => {
    const Labels = JSON.parse(
      '{"__proto__":"p","constructor":"c","org.opencontainers.image.os":"mine","":"e","a\\nb":"n"}',
    );
    const config = await configOf(w, image(w, BASE, { Labels }));
    const annotations = config.annotations as Record<string, string>;
    assertEquals(Object.getOwnPropertyDescriptor(annotations, "__proto__")?.value, "p");
    assertEquals(annotations["org.opencontainers.image.os"], "mine");
    assertEquals(annotations.constructor as unknown, "c");
    assertEquals(Object.keys(config).includes("constructor"), false);
  }));

/** Registers a test: nothing of the canary is in the bundle, and nothing of it is changed. */
function volume(name: string, path: string, members: Members): void {
  Deno.test(`accepted: volume ${name}`, () =>
    withWorkspace(async (w) => {
      const config = await configOf(w, image(w, members, { Volumes: { [path]: {} } }));
      const bundles = await describe(w.store);
      const leaked = Object.entries(bundles).filter(([, node]) => node.content === "canary");
      assertEquals(leaked, []);
      const mounts = config.mounts as Json[];
      assert(mounts.every((mount) => !String(mount.source).startsWith(w.canary)));
    }));
}
volume(
  "that is a symlink out (CVE-2022-23648)",
  "/vol",
  (w) => [...BASE, symlink("vol", w.canary)],
);
volume("that is a relative symlink out", "/vol", (w) => [
  ...BASE,
  symlink("vol", UP + w.canary.slice(1)),
]);
volume("below a symlink out", "/vol/sub", (w) => [...BASE, symlink("vol", w.canary)]);
volume("with a symlink out in it", "/vol", (w) => [
  ...BASE,
  dir("vol"),
  symlink("vol/secret", `${w.canary}/secret`),
  symlink("vol/dir", w.canary),
]);
volume("that is a file", "/vol", [...BASE, file("vol", "x")]);

Deno.test("rejected or harmless: volumes that climb", () =>
  prepared(async (w) => {
    const spec = image(w, BASE, { Volumes: { [`/${UP}${w.canary.slice(1)}`]: {} } });
    const { reference } = imageLayout(`${w.dir}/image`, spec);
    const before = await describe(w.canary, true);
    const { bundle } = await create(w, reference);
    const config = JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
    const destinations = (config.mounts as Json[]).map((mount) => String(mount.destination));
    assertEquals(destinations.filter((path) => path.includes("..")), []);
    assertEquals(await describe(w.canary, true), before);
  }));

Deno.test("accepted: /dev, /proc and other mount points that are symlinks out (CVE-2026-41579)", () =>
  withWorkspace(async (w) => {
    const names = ["dev", "proc", "sys", "run", "tmp"];
    const members = [
      ...names.map((name) => symlink(name, w.canary)),
      ...["hostname", "hosts", "resolv.conf"].map((name) =>
        symlink(`etc/${name}`, `${w.canary}/secret`)
      ),
    ];
    const before = await describe(w.canary, true);
    const { reference } = imageLayout(`${w.dir}/image`, image(w, members, {}));
    const { rootfs } = await create(w, reference);
    const tree = await describe(rootfs);
    assertEquals(await describe(w.canary, true), before);
    assertEquals(tree.dev, { ...l(w.canary), owner: tree.dev?.owner ?? "" });
  }));

const GOOD_IMAGE: ImageSpec = { layers: [{ tar: tarball([...GOOD_LAYER, file("new")]) }] };
for (const name of ["../x", "a/b", "", ".", "..", "-x", "a b", "a\0b", "x".repeat(300), "a\nb"]) {
  rejects(`container id ${JSON.stringify(name.slice(0, 9))}`, GOOD_IMAGE, {
    code: "usage",
    create: { name },
  });
}
rejects("a container id that is taken", GOOD_IMAGE, {
  code: "conflict",
  says: ['"good"'],
  create: { name: "good" },
});

/** Registers a test: a bundle directory that is in use stays as it is. */
function bundleTaken(name: string, make: (path: string, w: Workspace) => void): void {
  Deno.test(`rejected: a bundle directory that is ${name}`, () =>
    prepared(async (w) => {
      make(w.bundle, w);
      const { reference } = imageLayout(`${w.dir}/image`, GOOD_IMAGE);
      const before = await describe(w.dir);
      await assertFails(() => create(w, reference, { bundle: w.bundle }), {
        code: (name === "a file" || name === "a dangling symlink") ? "storage" : "conflict",
      });
      delete before[""];
      const after = await describe(w.dir);
      delete after[""];
      const times = /^store(\/|$)/; // directories in the store are used and left as they were
      for (const path of Object.keys(before)) if (times.test(path)) delete before[path];
      for (const path of Object.keys(after)) if (times.test(path)) delete after[path];
      assertEquals(after, before);
    }));
}
bundleTaken("not empty", (path) => {
  Deno.mkdirSync(path);
  Deno.writeTextFileSync(`${path}/precious`, "x");
});
bundleTaken("a symlink to a directory in use", (path, w) => Deno.symlinkSync(w.canary, path));
bundleTaken("a file", (path) => Deno.writeTextFileSync(path, "x"));

Deno.test("accepted: a bundle directory of one's own", () =>
  withWorkspace(async (w) => {
    const { reference } = imageLayout(`${w.dir}/image`, GOOD_IMAGE);
    const result = await create(w, reference, { bundle: w.bundle });
    assertEquals([result.bundle, result.rootfs], [w.bundle, `${w.bundle}/rootfs`]);
    assertEquals((await describe(result.rootfs))["new"], f());
  }));

Deno.test("rejected: interrupted before it begins", () =>
  prepared(async (w) => {
    const { reference } = imageLayout(`${w.dir}/image`, GOOD_IMAGE);
    await assertRefused(w, reference, {
      code: "interrupted",
      create: { signal: AbortSignal.abort() },
    });
  }));

Deno.test("accepted: two containers of one image share nothing", () =>
  withWorkspace(async (w) => {
    const { reference } = imageLayout(`${w.dir}/image`, GOOD_IMAGE);
    const tree = await describe((await create(w, reference, { name: "one" })).rootfs);
    const two = await create(w, reference, { name: "two" });
    await Deno.writeTextFile(`${two.rootfs}/etc/motd`, "changed");
    await Deno.chmod(`${two.rootfs}/new`, 0o600);
    assertEquals(await describe(`${w.store}/containers/one/rootfs`), tree);
    await assertCreated(w, reference, { tree: () => tree });
  }));
