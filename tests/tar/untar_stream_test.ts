import { assert, assertEquals, assertRejects } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { TarStream, type TarStreamInput } from "../../src/tar/tar_stream.ts";
import { type TarStreamEntry, UntarStream } from "../../src/tar/untar_stream.ts";
import { character, dir, file, hardlink, latin1, symlink, tarball } from "../fixtures/tar.ts";
import { run } from "./oracle.ts";

/** An archive as a stream of pieces of `size` bytes. */
function pieces(archive: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= archive.length) return controller.close();
      controller.enqueue(archive.slice(at, at += size));
    },
  });
}

/** Path, type and content of every entry. */
async function unpack(archive: Uint8Array, size = 65536): Promise<[string, string, string][]> {
  const found: [string, string, string][] = [];
  for await (const entry of pieces(archive, size).pipeThrough(new UntarStream())) {
    const content = entry.readable === undefined ? "-" : await new Response(entry.readable).text();
    found.push([entry.path, entry.header.type, content]);
  }
  return found;
}

function collect(entries: ReadableStream<TarStreamEntry>): Promise<TarStreamEntry[]> {
  return Array.fromAsync(entries, async (entry) => {
    await entry.readable?.cancel();
    return entry;
  });
}

const SAMPLE = tarball([
  dir("d"),
  file("d/empty"),
  file("d/block", "b".repeat(512)),
  file("d/more", "m".repeat(1025)),
  symlink("s", "d/more"),
  hardlink("h", "d/block"),
  file("last", "end\n"),
]);

const SAMPLE_ENTRIES: [string, string, string][] = [
  ["d", "directory", "-"],
  ["d/empty", "file", ""],
  ["d/block", "file", "b".repeat(512)],
  ["d/more", "file", "m".repeat(1025)],
  ["s", "symlink", "-"],
  ["h", "hardlink", "-"],
  ["last", "file", "end\n"],
];

Deno.test("entries and contents are the same whatever pieces the archive comes in", async () => {
  for (const size of [1, 7, 511, 512, 513, 1024, 5000, 1 << 20]) {
    assertEquals(await unpack(SAMPLE, size), SAMPLE_ENTRIES);
  }
});

Deno.test("archives of GNU tar, in all of its formats, and of bsdtar", async () => {
  const root = await Deno.makeTempDir();
  const long = "n".repeat(120);
  await Deno.mkdir(`${root}/${long}`);
  await Deno.writeTextFile(`${root}/${long}/ü`, "content");
  await Deno.symlink("t".repeat(150), `${root}/link`);
  const expected: [string, string, string][] = [
    [long, "directory", "-"],
    [`${long}/ü`, "file", "content"],
    ["link", "symlink", "-"],
  ];
  for (const format of ["gnu", "posix", "oldgnu"]) {
    const args = ["-C", root, `--format=${format}`, "-cf", "-", long, "link"];
    assertEquals(await unpack((await run("tar", args)).bytes), expected, format);
  }
  for (const format of ["pax", "gnutar"]) {
    const args = ["-C", root, `--format=${format}`, "-cf", "-", long, "link"];
    assertEquals(await unpack((await run("bsdtar", args)).bytes), expected, format);
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("what TarStream writes, UntarStream reads", async () => {
  const xattrs = new Map([["user.a", new Uint8Array([0, 255])]]);
  const inputs: TarStreamInput[] = [
    {
      type: "file",
      path: "f",
      size: 3,
      readable: new Blob(["abc"]).stream(),
      options: {
        mode: 0o4711,
        uid: 3_000_000,
        gid: 7,
        mtime: { seconds: -2, nanoseconds: 9 },
        xattrs,
      },
    },
    { type: "symlink", path: "l", linkPath: latin1("\xff"), options: { mtime: 5 } },
    { type: "block", path: "b", options: { devmajor: "10", devminor: 9, mtime: 5 } },
    { type: "fifo", path: latin1("d/\xe9"), options: { mtime: 5 } },
  ];
  const archive = ReadableStream.from(inputs).pipeThrough(new TarStream());
  const [f, l, b, p] = await collect(archive.pipeThrough(new UntarStream()));
  const { mode, uid, gid, size, mtime, mtimeNanoseconds, typeflag } = f!.header;
  assertEquals([mode, uid, gid, size], [0o4711, 3_000_000, 7, 3]);
  assertEquals([mtime, mtimeNanoseconds, typeflag], [-2, 9, "0"]);
  assertEquals(f!.header.xattrs, xattrs);
  assertEquals([f!.rawPath, f!.header.linkBytes, f!.header.devmajor], [null, null, ""]);
  assertEquals([l!.header.typeflag, l!.header.linkBytes], ["2", latin1("\xff")]);
  assertEquals([b!.header.typeflag, b!.header.devmajor, b!.header.devminor], ["4", "10", "11"]);
  assertEquals([p!.header.typeflag, p!.rawPath], ["6", latin1("d/\xe9")]);
});

Deno.test("holes of sparse files are read as zeros", async () => {
  const root = await Deno.makeTempDir();
  const sparse = await Deno.open(`${root}/s`, { write: true, create: true });
  await sparse.truncate(300_000);
  await sparse.seek(150_000, Deno.SeekMode.Start);
  await sparse.write(new TextEncoder().encode("island"));
  sparse.close();
  const expected = await Deno.readFile(`${root}/s`);
  for (
    const format of [
      "--format=gnu",
      "--sparse-version=0.0",
      "--sparse-version=0.1",
      "--sparse-version=1.0",
    ]
  ) {
    const more = format.startsWith("--sparse") ? ["--format=posix", format] : [format];
    const { bytes } = await run("tar", ["-C", root, "-S", ...more, "-cf", "-", "s"]);
    assert(bytes.length < 100_000, "GNU tar found no hole");
    for await (const entry of pieces(bytes, 1000).pipeThrough(new UntarStream())) {
      assertEquals(entry.header.size, 300_000);
      const content = await new Response(entry.readable).bytes();
      assert(
        content.every((byte, i) => byte === expected[i]) && content.length === 300_000,
        format,
      );
    }
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("a cancelled file is passed over, wherever it was left", async () => {
  for (const read of [0, 1, 3]) {
    const archive = tarball([file("big", "x".repeat(400_000)), file("next", "next")]);
    const paths: string[] = [];
    for await (const entry of pieces(archive, 10_000).pipeThrough(new UntarStream())) {
      paths.push(entry.path);
      const reader = entry.readable!.getReader();
      for (let i = 0; i < read; i++) await reader.read();
      await reader.cancel();
    }
    assertEquals(paths, ["big", "next"]);
  }
});

Deno.test("cancelling while a read is under way loses nothing of the next entry", async () => {
  const archive = tarball([file("big", "x".repeat(400_000)), file("next", "next")]);
  const reader = pieces(archive, 10_000).pipeThrough(new UntarStream()).getReader();
  const big = (await reader.read()).value!.readable!.getReader();
  const pending = big.read();
  await big.cancel();
  await pending;
  const next = (await reader.read()).value!;
  assertEquals([next.path, await new Response(next.readable).text()], ["next", "next"]);
  assert((await reader.read()).done);
});

Deno.test("the next entry waits until the file before it was taken", async () => {
  const reader = pieces(SAMPLE, 512).pipeThrough(new UntarStream()).getReader();
  await reader.read();
  const { value } = await reader.read();
  let came = false;
  const next = reader.read().then((result) => {
    came = true;
    return result;
  });
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert(!came);
  await value!.readable!.cancel();
  assertEquals((await next).value?.path, "d/block");
  await (await next).value!.readable!.cancel();
  await reader.cancel();
});

Deno.test("leaving early cancels the archive", async () => {
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(dir("d")),
    cancel() {
      cancelled = true;
    },
  });
  for await (const entry of endless.pipeThrough(new UntarStream())) {
    assertEquals(entry.path, "d");
    break;
  }
  assert(cancelled);
});

Deno.test("memory does not grow with the size of a file", async () => {
  let produced = 0;
  const size = 1 << 30;
  const header = file("big", "", { size });
  const archive = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(produced === 0 ? header : new Uint8Array(65536));
      produced += 65536;
    },
  });
  const reader = archive.pipeThrough(new UntarStream()).getReader();
  const content = (await reader.read()).value!.readable!.getReader();
  for (let i = 0; i < 4; i++) await content.read();
  assert(produced < 2 ** 20, `${produced} bytes were read ahead`);
  const cancelled = reader.cancel();
  await content.cancel();
  await cancelled;
});

Deno.test("a truncated archive fails the file it ends in, and the stream", async () => {
  const archive = tarball([file("a", "first"), file("b", "x".repeat(2000))]).subarray(0, 2000);
  const reader = pieces(archive, 300).pipeThrough(new UntarStream()).getReader();
  const a = (await reader.read()).value!;
  assertEquals(await new Response(a.readable).text(), "first");
  const b = (await reader.read()).value!;
  await assertRejects(
    () => new Response(b.readable).text(),
    LayerfsError,
    "ends within the contents",
  );
  const error = await assertRejects(() => reader.read(), LayerfsError, "ends within the contents");
  assertEquals(error.code, "image-invalid");
});

Deno.test("a fault in the archive comes after the entries before it, and ends the writer", async () => {
  let reason: unknown;
  const bytes = tarball([dir("a"), file("b", "b"), file("c", "", { checksumError: 1 })]);
  const archive = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(bytes),
    cancel(why) {
      reason = why;
    },
  });
  const paths: string[] = [];
  await assertRejects(
    async () => {
      for await (const entry of archive.pipeThrough(new UntarStream())) {
        paths.push(entry.path);
        await entry.readable?.cancel();
      }
    },
    LayerfsError,
    "checksum",
  );
  assertEquals(paths, ["a", "b"]);
  assert(reason instanceof LayerfsError);
});

Deno.test("an error of the archive's own stream is passed on", async () => {
  const archive = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(character("c", 1, 3));
      controller.error(new RangeError("the disk is gone"));
    },
  });
  await assertRejects(
    () => collect(archive.pipeThrough(new UntarStream())),
    RangeError,
    "the disk is gone",
  );
});

Deno.test("an archive without entries, and no bytes at all", async () => {
  assertEquals(await unpack(new Uint8Array(1024)), []);
  assertEquals(await unpack(new Uint8Array(0)), []);
});
