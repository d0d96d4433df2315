/** What was altered in a layer's tree is found, and named. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { randomBytes } from "node:crypto";
import { LayerfsError } from "../../src/errors.ts";
import { verifyLayers } from "../../src/layer/verify_layer.ts";
import { dir, fifo, file, hardlink, latin1, opaque, symlink, whiteout } from "../fixtures/tar.ts";
import { DEFAULT_MTIME, tarball, type Text } from "../fixtures/tar.ts";
import { IS_ROOT, output } from "../fixtures/tree.ts";
import { type Applied, assertAltered, assertOk, verify, withLayers } from "./skeleton_harness.ts";

const LARGE = new Uint8Array(randomBytes(2_500_000));

const LAYER = [
  dir("d", { mode: 0o750 }),
  file("d/a", "content of a"),
  file("d/b", "content of b", { mode: 0o4755 }),
  file("large", LARGE),
  hardlink("h", "d/a"),
  symlink("s", "d/a"),
  fifo("p"),
  file("empty"),
];

/** Sets the time that every entry has, so that only what a test is about differs. */
function restoreTime(path: string): void {
  Deno.utimeSync(path, DEFAULT_MTIME, DEFAULT_MTIME);
}

/** Changes bytes of a file, whose size and time stay as they are. */
function overwrite(path: string, at: number, text: Text): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(typeof text === "string" ? new TextEncoder().encode(text) : text);
  restoreTime(path);
}

/** Registers a test: after `change`, the layer is altered in these ways, by path. */
function altered(
  name: string,
  change: (root: string) => void,
  expected: Readonly<Record<string, string>>,
): void {
  Deno.test(`altered: ${name}`, () =>
    withLayers([LAYER], {}, async (applied) => {
      await assertOk(applied);
      change(applied.root);
      restoreTime(`${applied.root}/d`);
      const differences = Object.entries(expected).map(([path, what]) => ({ path, what }));
      await assertAltered(applied, differences);
    }));
}

altered("a byte, size and time kept", (root) => overwrite(`${root}/d/b`, 3, "!"), {
  "d/b": "content differs",
});
altered("the last byte of a large file", (root) => {
  overwrite(`${root}/large`, LARGE.length - 1, Uint8Array.of((LARGE.at(-1) ?? 0) ^ 1));
}, { large: "content differs" });
altered("two files", (root) => {
  overwrite(`${root}/d/a`, 0, "C");
  overwrite(`${root}/large`, 1_000_000, "changed");
}, { "d/a": "content differs", large: "content differs" });
altered("a truncated file", (root) => {
  Deno.truncateSync(`${root}/d/b`, 5);
  restoreTime(`${root}/d/b`);
}, { "d/b": "is shorter than it was" });
altered("a longer file", (root) => overwrite(`${root}/d/b`, 12, "more"), {
  "d/b": "size is 16, not 12",
});
altered("a removed file", (root) => Deno.removeSync(`${root}/d/b`), { "d/b": "is missing" });
altered("a removed file without content", (root) => Deno.removeSync(`${root}/empty`), {
  empty: "is missing",
});
altered("a file that became a symlink to its copy", (root) => {
  Deno.renameSync(`${root}/d/b`, `${root}/d/copy`);
  Deno.symlinkSync("copy", `${root}/d/b`);
}, { "d/b": "is not a file any more" });
altered("a directory that became a symlink to its copy", (root) => {
  Deno.renameSync(`${root}/d`, `${root}/copy`);
  Deno.symlinkSync("copy", `${root}/d`);
}, {
  "d/a": "is missing",
  "d/b": "is missing",
  d: "is a symlink, not a directory",
});
altered("a mode", (root) => Deno.chmodSync(`${root}/d/b`, 0o755), {
  "d/b": "mode is 0755, not 4755",
});
altered("a directory's mode", (root) => Deno.chmodSync(`${root}/d`, 0o777), {
  d: "mode is 0777, not 0750",
});
altered("a time", (root) => Deno.utimeSync(`${root}/empty`, 5, 5), {
  empty: `time is 5, not ${DEFAULT_MTIME}`,
});
altered("a symlink's target", (root) => {
  Deno.removeSync(`${root}/s`);
  Deno.symlinkSync("d/b", `${root}/s`);
}, { s: 'target is "d/b", not "d/a"' });
altered("a hard link that is a copy now", (root) => {
  Deno.removeSync(`${root}/h`);
  Deno.copyFileSync(`${root}/d/a`, `${root}/h`);
}, { h: 'is not the same file as "d/a"' });
if (IS_ROOT) {
  altered("an owner", (root) => Deno.chownSync(`${root}/empty`, 7, 8), {
    empty: "owner is 7:8, not 0:0",
  });
}

Deno.test("altered: a file whose name is not UTF-8", () =>
  withLayers([[file(latin1("f\xff"), "content"), file("g", "g")]], {}, async (applied) => {
    await assertOk(applied);
    const [path] = new TextDecoder("latin1").decode(
      await output("find", [applied.root, "-name", "f*", "-printf", "%f"]),
    );
    assertEquals(path, "f");
    await output("find", [
      applied.root,
      "-name",
      "f*",
      "-exec",
      "sh",
      "-c",
      'printf C 1<>"$1"',
      "-",
      "{}",
      ";",
    ]);
    const [verdict] = await verify(applied);
    assert(verdict?.status === "altered");
    assertEquals(verdict.differences.map(({ what }) => what), ["content differs"]);
  }));

Deno.test("altered: what a whiteout hides is there, and what an opaque directory has not", () =>
  withLayers(
    [[file("gone", "1"), file("o/lower", "2")], [
      whiteout("gone"),
      file("o/upper", "3"),
      opaque("o"),
    ]],
    {},
    async ({ layers, ...applied }) => {
      const upper = { ...applied, layers: layers.slice(1) };
      await assertOk(upper);
      Deno.writeTextFileSync(`${applied.root}/gone`, "again");
      Deno.writeTextFileSync(`${applied.root}/o/lower`, "again");
      await assertAltered(upper, [
        { path: "gone", what: "is there, but the layer removes it" },
        { path: "o/lower", what: "is there, but not in the layer" },
      ]);
    },
  ));

Deno.test("a file that no layer has is not found", () =>
  withLayers([LAYER], {}, async (applied) => {
    Deno.writeTextFileSync(`${applied.root}/added`, "x");
    await assertOk(applied);
  }));

/** Registers a test: with its skeleton changed so, the layer cannot be verified. */
function damaged(name: string, change: (path: string) => void, reason: string): void {
  Deno.test(`unverifiable: ${name}`, () =>
    withLayers([LAYER], {}, async (applied) => {
      change(applied.layers[0]!.skeletonPath);
      const [verdict] = await verify(applied);
      assert(verdict?.status === "unverifiable", verdict?.status);
      assert(verdict.reason.includes(reason), verdict.reason);
    }));
}
damaged("no skeleton", (path) => Deno.removeSync(path), "there is no skeleton");
damaged("an empty skeleton", (path) => Deno.truncateSync(path), "is damaged");
damaged(
  "half a skeleton",
  (path) => Deno.truncateSync(path, Deno.statSync(path).size >> 1),
  "is damaged",
);
damaged("a skeleton without its end", (path) => Deno.truncateSync(path, 19), "cut short");
damaged("a changed byte in a skeleton", (path) => {
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
}, "is damaged");
damaged("a symlink for a skeleton", (path) => {
  Deno.renameSync(path, `${path}.real`);
  Deno.symlinkSync(`${path}.real`, path);
}, "symbolic link");

Deno.test("a skeleton of another layer does not pass, though every checksum holds", () =>
  withLayers([[file("a", "one")], [file("b", "two")]], {}, async (applied) => {
    const [a, b] = applied.layers;
    const swapped: Applied = { ...applied, layers: [{ ...b!, skeletonPath: a!.skeletonPath }] };
    const [verdict] = await verify(swapped);
    assert(verdict?.status === "altered");
    assertEquals(verdict.differences.length, 1);
    assertEquals(verdict.differences[0]?.path, null);
  }));

Deno.test("no change of a skeleton hides that a file was altered", () =>
  withLayers([[file("a", "one"), symlink("s", "a")]], {}, async (applied) => {
    overwrite(`${applied.root}/a`, 0, "two");
    const { skeletonPath } = applied.layers[0]!;
    const bytes = Deno.readFileSync(skeletonPath);
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i]! ^= 0x10;
      Deno.writeFileSync(skeletonPath, changed);
      const [verdict] = await verify(applied);
      assert(verdict?.status !== "ok", `byte ${i}`);
    }
  }));

Deno.test("an aborted signal ends the work, and progress is told", () =>
  withLayers([LAYER], {}, async (applied) => {
    let bytes = 0;
    await verify(applied, { onBytes: (delta) => bytes += delta });
    assertEquals(bytes, tarball(LAYER).length);
    const error = await assertRejects(
      () =>
        verifyLayers(applied.layers, {
          engine: "wasm",
          scratch: `${applied.dir}/scratch`,
          asRoot: applied.asRoot,
          signal: AbortSignal.abort(),
        }),
      LayerfsError,
    );
    assertEquals(error.code, "interrupted");
  }));
