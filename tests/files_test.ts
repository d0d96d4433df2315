import { assertEquals, assertThrows } from "@std/assert";
import {
  exists,
  lstatOrNull,
  namesIn,
  readAt,
  readPiece,
  removeAll,
  removeDirectory,
  removeIfThere,
  syncToDisk,
  writeDurably,
} from "../src/files.ts";
import { errnoName } from "../src/system_error.ts";

/** Symlinks, and their targets. */
const LINKS = {
  "to-file": "file",
  "to-full": "full",
  "to-empty": "empty",
  dangling: "absent",
  loop: "loop",
};

/**
 * Calls `use` with a directory that has
 *
 *     file, full/file, empty/, and {@linkcode LINKS}
 */
async function withTree(use: (dir: string) => void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "layerfs-files-" });
  try {
    Deno.writeTextFileSync(`${dir}/file`, "0123456789");
    Deno.mkdirSync(`${dir}/full`);
    Deno.writeTextFileSync(`${dir}/full/file`, "");
    Deno.mkdirSync(`${dir}/empty`);
    for (const [name, target] of Object.entries(LINKS)) Deno.symlinkSync(target, `${dir}/${name}`);
    use(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The errno name of what `call` throws. */
function failure(call: () => unknown): string {
  return errnoName(assertThrows(call));
}

Deno.test("what exists is what a path leads to", () =>
  withTree((dir) => {
    for (const name of ["file", "full", "full/file", "to-file", "to-full", "to-full/file"]) {
      assertEquals([name, exists(`${dir}/${name}`)], [name, true]);
    }
    for (const name of ["absent", "absent/x", "file/x", "dangling", "loop", "loop/x"]) {
      assertEquals([name, exists(`${dir}/${name}`)], [name, false]);
    }
    // Nobody knows whether there is anything.
    assertEquals(failure(() => exists(`${dir}/${"x".repeat(300)}`)), "ENAMETOOLONG");
  }));

Deno.test("lstat tells of the link itself, and of nothing by null", () =>
  withTree((dir) => {
    assertEquals(lstatOrNull(`${dir}/dangling`)?.isSymlink, true);
    assertEquals(lstatOrNull(`${dir}/to-full`)?.isDirectory, false);
    assertEquals(lstatOrNull(`${dir}/absent`), null);
    assertEquals(lstatOrNull(`${dir}/file/x`), null);
    assertEquals(failure(() => lstatOrNull(`${dir}/loop/x`)), "storage");
  }));

Deno.test("removeDirectory removes empty directories, and neither files nor symlinks", () =>
  withTree((dir) => {
    for (const name of ["file", "to-file", "to-full", "to-empty", "dangling", "loop"]) {
      assertEquals([name, failure(() => removeDirectory(`${dir}/${name}`))], [name, "ENOTDIR"]);
    }
    assertEquals(failure(() => removeDirectory(`${dir}/full`)), "ENOTEMPTY");
    assertEquals(failure(() => removeDirectory(`${dir}/absent`)), "ENOENT");
    const before = namesIn(dir).length;
    removeDirectory(`${dir}/empty`);
    assertEquals(namesIn(dir).length, before - 1);
  }));

Deno.test("removals follow no link, and do not mind what is not there", () =>
  withTree((dir) => {
    removeIfThere(`${dir}/to-file`);
    removeIfThere(`${dir}/to-file`);
    assertEquals([exists(`${dir}/to-file`), exists(`${dir}/file`)], [false, true]);
    assertEquals(failure(() => removeIfThere(`${dir}/full`)), "ENOTEMPTY");
    removeAll(`${dir}/to-full`);
    assertEquals([lstatOrNull(`${dir}/to-full`), exists(`${dir}/full/file`)], [null, true]);
    Deno.symlinkSync("../full", `${dir}/empty/link`);
    removeAll(`${dir}/empty`);
    removeAll(`${dir}/empty`);
    assertEquals(namesIn(`${dir}/full`), ["file"]);
    removeAll(`${dir}/full`);
    removeAll(`${dir}/file`);
    assertEquals(namesIn(dir).sort(), ["dangling", "loop", "to-empty"]);
  }));

Deno.test("reads begin where they are told to, and end with the file", () =>
  withTree((dir) => {
    using file = Deno.openSync(`${dir}/file`);
    const read = (length: number, position: number, how: typeof readAt) => {
      const bytes = new Uint8Array(length);
      return new TextDecoder().decode(bytes.subarray(0, how(file, bytes, position)));
    };
    for (const how of [readAt, readPiece]) {
      assertEquals(read(3, 4, how), "456");
      assertEquals(read(3, 0, how), "012");
      assertEquals(read(20, 8, how), "89");
      assertEquals(read(3, 10, how), "");
      assertEquals(read(3, 99, how), "");
    }
    // As the threads have them.
    const shared = new Uint8Array(new SharedArrayBuffer(4), 1, 2);
    assertEquals([readPiece(file, shared, 5), ...shared], [2, 0x35, 0x36]);
  }));

Deno.test("a file that is written durably is new, and follows no link", () =>
  withTree((dir) => {
    const text = "ä".repeat(100_000);
    writeDurably(`${dir}/new`, text, 0o600);
    assertEquals(Deno.readTextFileSync(`${dir}/new`), text);
    assertEquals((Deno.statSync(`${dir}/new`).mode ?? 0) & 0o777, 0o600);
    for (const name of ["new", "to-file", "dangling"]) {
      assertEquals(failure(() => writeDurably(`${dir}/${name}`, "", 0o600)), "EEXIST");
    }
    assertEquals(exists(`${dir}/absent`), false);
    syncToDisk(`${dir}/new`);
    syncToDisk(dir);
  }));

Deno.test("the names in a directory are all of them, whatever their bytes", () =>
  withTree((dir) => {
    const made = new Deno.Command("bash", { args: ["-c", "touch \"$0\"/$'a\\xff'", dir] });
    assertEquals(made.outputSync().code, 0);
    assertEquals(namesIn(dir).filter((name) => name.includes("\ufffd")), ["a\ufffd"]);
    assertEquals(namesIn(dir).length, 9);
    assertEquals(failure(() => namesIn(`${dir}/file`)), "ENOTDIR");
  }));
