/** Archives written by GNU tar, in all of its formats, against what the file system says. */

import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { contents, scan, type Scanned, STEPS } from "./scan.ts";

const FORMATS = ["v7", "ustar", "oldgnu", "gnu", "posix"] as const;

async function run(program: string, args: readonly string[]): Promise<string> {
  const output = await new Deno.Command(program, { args: [...args] }).output();
  const text = new TextDecoder().decode(output.stdout);
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  return text;
}

/** Calls `use` with a directory `tree` to fill, and a way to make an archive of it. */
async function withTree(
  use: (tree: string, archive: (args: readonly string[]) => Promise<Uint8Array>) => Promise<void>,
): Promise<void> {
  const work = await Deno.makeTempDir();
  const tree = `${work}/tree`;
  try {
    await Deno.mkdir(tree);
    await use(tree, async (args) => {
      await run("tar", ["-C", tree, "-cf", `${work}/archive.tar`, ...args]);
      return await Deno.readFile(`${work}/archive.tar`);
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The same entries whatever the pieces; and the digest of the whole. */
function scanEveryWay(archive: Uint8Array): Scanned[] {
  const whole = scan(archive);
  const digest = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
  assertEquals(whole.digest, digest);
  assertEquals(scan(archive, 1 << 20, { algorithm: "sha256", engine: "native" }).digest, digest);
  for (const step of STEPS) {
    const cut = scan(archive, step);
    assertEquals(cut.entries, whole.entries, `pieces of ${step}`);
    assertEquals(cut.digest, digest);
  }
  return whole.entries;
}

/** Compares an entry with the file that it was made from. */
async function assertLike(tree: string, entry: Scanned, nanoseconds: boolean): Promise<void> {
  const info = await Deno.lstat(`${tree}/${entry.path}`);
  assertEquals(entry.type === "directory", info.isDirectory, entry.path);
  assertEquals(entry.type === "symlink", info.isSymlink, entry.path);
  assertEquals([entry.uid, entry.gid], [info.uid, info.gid], entry.path);
  assertEquals(entry.mode, (info.mode ?? 0) & 0o7777, entry.path);
  const ms = info.mtime?.getTime() ?? NaN;
  assertEquals(entry.mtime.seconds, Math.floor(ms / 1000), entry.path);
  const fraction = ((ms % 1000) + 1000) % 1000;
  assertEquals(Math.floor(entry.mtime.nanoseconds / 1e6), nanoseconds ? fraction : 0, entry.path);
  if (entry.type === "file") {
    assertEquals(entry.size, info.size, entry.path);
    assertEquals(contents(entry), await Deno.readFile(`${tree}/${entry.path}`), entry.path);
  }
  if (entry.type === "symlink") {
    assertEquals(entry.linkPath, await Deno.readLink(`${tree}/${entry.path}`));
  }
}

for (const format of FORMATS) {
  Deno.test(`${format}: types, modes, times, links, contents`, () =>
    withTree(async (tree, archive) => {
      await Deno.mkdir(`${tree}/dir/sub`, { recursive: true });
      for (const size of [0, 1, 511, 512, 513, 10_000]) {
        const bytes = Uint8Array.from({ length: size }, (_, i) => i % 251);
        await Deno.writeFile(`${tree}/dir/f${size}`, bytes, { mode: 0o640 });
      }
      await Deno.symlink("../f0", `${tree}/dir/sub/symlink`);
      await Deno.symlink("/absolute/./target//x", `${tree}/dir/sub/absolute`);
      await Deno.link(`${tree}/dir/f513`, `${tree}/dir/sub/hardlink`);
      if (format !== "v7") await run("mkfifo", ["-m", "600", `${tree}/fifo`]);
      await Deno.chmod(`${tree}/dir/f512`, 0o6755);
      await Deno.chmod(`${tree}/dir/sub`, 0o1777);
      await Deno.utime(`${tree}/dir/f511`, 1.25, 1.25);
      if (format !== "v7" && format !== "ustar") {
        await Deno.utime(`${tree}/dir/f1`, -1.5, -1.5);
      }
      const entries = scanEveryWay(await archive([`--format=${format}`, "--sort=name", "."]));
      assertEquals(
        entries.map((entry) => [entry.path, entry.type]),
        [
          ["", "directory"],
          ["dir", "directory"],
          ["dir/f0", "file"],
          ["dir/f1", "file"],
          ["dir/f10000", "file"],
          ["dir/f511", "file"],
          ["dir/f512", "file"],
          ["dir/f513", "file"],
          ["dir/sub", "directory"],
          ["dir/sub/absolute", "symlink"],
          ["dir/sub/hardlink", "hardlink"],
          ["dir/sub/symlink", "symlink"],
          ["fifo", "fifo"],
        ].filter(([path]) => format !== "v7" || path !== "fifo"),
      );
      for (const entry of entries) {
        if (entry.type === "hardlink") assertEquals(entry.linkPath, "dir/f513");
        else await assertLike(tree, entry, format === "posix");
        assert(!entry.duplicate && !entry.implied && entry.whiteout === "none");
      }
    }));
}

for (const format of ["ustar", "oldgnu", "gnu", "posix"] as const) {
  Deno.test(`${format}: long names and targets`, () =>
    withTree(async (tree, archive) => {
      // ustar has 100 characters behind at most 155 before a slash.
      const long = format === "ustar"
        ? `${"d".repeat(80)}/${"e".repeat(60)}/${"f".repeat(90)}`
        : `${"d".repeat(200)}/${"é".repeat(120)}`;
      await Deno.mkdir(`${tree}/${long.slice(0, long.lastIndexOf("/"))}`, { recursive: true });
      await Deno.writeTextFile(`${tree}/${long}`, "contents");
      const target = "t/".repeat(format === "ustar" ? 49 : 120) + "t";
      await Deno.symlink(target, `${tree}/s`);
      if (format !== "ustar") await Deno.link(`${tree}/${long}`, `${tree}/z`);
      const entries = scanEveryWay(await archive([`--format=${format}`, "--sort=name", "."]));
      const file = entries.find((entry) => entry.type === "file");
      assertEquals(file?.path, long);
      assertEquals(file && new TextDecoder().decode(contents(file)), "contents");
      assertEquals(entries.find((entry) => entry.type === "symlink")?.linkPath, target);
      assertEquals(
        entries.find((entry) => entry.type === "hardlink")?.linkPath,
        format === "ustar" ? undefined : long,
      );
    }));
}

const SPARSE_VERSIONS = [
  ["--format=oldgnu"],
  ["--format=gnu"],
  ["--format=posix", "--sparse-version=0.0"],
  ["--format=posix", "--sparse-version=0.1"],
  ["--format=posix", "--sparse-version=1.0"],
];

for (const options of SPARSE_VERSIONS) {
  Deno.test(`sparse files: ${options.join(" ")}`, () =>
    withTree(async (tree, archive) => {
      // 60 regions take three extension blocks of the old format, and a map of several blocks.
      await sparseFile(`${tree}/many`, 60, 300_000 * 60);
      await sparseFile(`${tree}/four`, 4, 10_000_000);
      await sparseFile(`${tree}/hole`, 0, 5_000_000);
      await Deno.writeTextFile(`${tree}/plain`, "plain");
      const entries = scanEveryWay(await archive([...options, "--sparse", "--sort=name", "."]));
      const names = entries.map((entry) => entry.path);
      assertEquals(names, ["", "four", "hole", "many", "plain"]);
      for (const entry of entries.slice(1)) {
        const stored = entry.regions.reduce((sum, region) => sum + region.bytes.length, 0);
        assert(entry.path === "plain" || stored < 1_000_000, `${entry.path} is stored as holes`);
        const bytes = await Deno.readFile(`${tree}/${entry.path}`);
        assertEquals(entry.size, bytes.length);
        assert(contents(entry).every((byte, i) => byte === bytes[i]), entry.path);
        const told = entry.sparse?.reduce((sum, region) => sum + region.length, 0);
        assertEquals(told, entry.path === "plain" ? undefined : stored);
      }
    }));
}

/** A file of `size` bytes with `count` regions of text far apart, the last bytes a hole. */
async function sparseFile(path: string, count: number, size: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.truncate(size);
  for (let i = 0; i < count; i++) {
    await file.seek(i * Math.floor(size / (count + 1)), Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(`region ${i} `));
  }
}

Deno.test("extended attributes", () =>
  withTree(async (tree, archive) => {
    await Deno.writeTextFile(`${tree}/f`, "x");
    await Deno.writeTextFile(`${tree}/plain`, "x");
    await run("setfattr", ["-n", "user.text", "-v", "value", `${tree}/f`]);
    await run("setfattr", ["-n", "user.binary", "-v", "0x000a3dff", `${tree}/f`]);
    await run("setfattr", ["-n", "user.empty", `${tree}/f`]);
    await run("setfattr", ["-n", "user.%=", "-v", "sign", `${tree}/f`]);
    const entries = scanEveryWay(await archive(["--format=posix", "--xattrs", "f", "plain"]));
    assertEquals([...entries[0]?.xattrs ?? []].sort(([a], [b]) => a < b ? -1 : 1), [
      ["user.%=", new TextEncoder().encode("sign")],
      ["user.binary", Uint8Array.of(0, 0x0a, 0x3d, 0xff)],
      ["user.empty", new Uint8Array(0)],
      ["user.text", new TextEncoder().encode("value")],
    ]);
    assertEquals(entries[1]?.xattrs, null);
  }));

Deno.test("bsdtar: LIBARCHIVE.xattr beside SCHILY.xattr", () =>
  withTree(async (tree) => {
    await Deno.writeTextFile(`${tree}/f`, "x");
    await run("setfattr", ["-n", "user.a b=%", "-v", "0x00ff10", `${tree}/f`]);
    await run("bsdtar", ["-C", tree, "--format=pax", "--xattrs", "-cf", `${tree}/a.tar`, "f"]);
    const [entry] = scanEveryWay(await Deno.readFile(`${tree}/a.tar`));
    assertEquals([...entry?.xattrs ?? []], [["user.a b=%", Uint8Array.of(0, 0xff, 0x10)]]);
  }));

Deno.test("names that are not UTF-8 keep their bytes", () =>
  withTree(async (tree, archive) => {
    await run("sh", [
      "-c",
      `cd '${tree}' && mkdir "$(printf 'd\\351')" && : > "$(printf 'd\\351/\\377')"`,
    ]);
    await run("sh", ["-c", `cd '${tree}' && ln -s "$(printf '\\376')" link`]);
    const archived = await archive(["--format=gnu", "--sort=name", "."]);
    const { entries, scanner } = scan(archived);
    scanEveryWay(archived);
    const file = entries.find((entry) => entry.type === "file");
    const raw = file?.path.split("/").map((part) => scanner.rawNames.get(part));
    assertEquals(raw, [Uint8Array.of(0x64, 0o351), Uint8Array.of(0o377)]);
    assertEquals(scanner.seen(file?.path ?? ""), 2);
    assertEquals(
      entries.find((entry) => entry.type === "symlink")?.linkBytes,
      Uint8Array.of(0o376),
    );
  }));

Deno.test("end of archive: padding of the record, and none", () =>
  withTree(async (tree, archive) => {
    await Deno.writeTextFile(`${tree}/f`, "x");
    const full = await archive(["--format=gnu", "-b", "20", "f"]);
    for (const length of [1024, 1536, 2048, full.length]) {
      assertEquals(scanEveryWay(full.slice(0, length)).map((entry) => entry.path), ["f"]);
    }
  }));
