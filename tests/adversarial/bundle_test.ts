/** Working directories, volumes and names that lead out of the root or the store. */

import { assert, assertEquals } from "@std/assert";
import { imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { dir, file, symlink, tarball } from "../fixtures/tar.ts";
import { describe, f } from "../fixtures/tree.ts";
import {
  assertCreated,
  assertFails,
  assertRefused,
  configOf,
  create,
  GOOD_LAYER,
  imageOf,
  type Members,
  prepared,
  rejects,
  UP,
  withWorkspace,
  type Workspace,
} from "./harness.ts";

const BASE = [dir("etc"), file("etc/passwd", "root:x:0:0::/:/bin/sh\n")];

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
    const config = await configOf(w, imageOf(w, BASE, { Labels }));
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
      const config = await configOf(w, imageOf(w, members, { Volumes: { [path]: {} } }));
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
    const spec = imageOf(w, BASE, { Volumes: { [`/${UP}${w.canary.slice(1)}`]: {} } });
    const { reference } = imageLayout(`${w.dir}/image`, spec);
    const before = await describe(w.canary, true);
    const { bundle } = await create(w, reference);
    const config = JSON.parse(await Deno.readTextFile(`${bundle}/config.json`));
    const destinations = (config.mounts as Json[]).map((mount) => String(mount.destination));
    assertEquals(destinations.filter((path) => path.includes("..")), []);
    assertEquals(await describe(w.canary, true), before);
  }));

for (const name of ["dev", "proc", "sys"]) {
  rejects(`/${name} is a symlink out (CVE-2026-41579)`, (w) => {
    return imageOf(w, [...BASE, symlink(name, w.canary)], {});
  }, { code: "image-invalid", says: [`"/${name}"`] });
  rejects(`/${name} is a file`, { layers: [{ tar: tarball([...BASE, file(name)]) }] }, {
    code: "image-invalid",
    says: [`"/${name}"`],
  });
}

Deno.test("accepted: other places that a runtime may write to are symlinks out", () =>
  withWorkspace(async (w) => {
    const members = [
      ...["run", "tmp"].map((name) => symlink(name, w.canary)),
      ...["hostname", "hosts", "resolv.conf"].map((name) =>
        symlink(`etc/${name}`, `${w.canary}/secret`)
      ),
    ];
    const before = await describe(w.canary, true);
    const { reference } = imageLayout(`${w.dir}/image`, imageOf(w, members, {}));
    const { rootfs } = await create(w, reference);
    assertEquals(await describe(w.canary, true), before);
    assertEquals(await Deno.readLink(`${rootfs}/run`), w.canary);
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
