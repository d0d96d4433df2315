import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import {
  assertValidTarStreamOptions,
  TarStream,
  type TarStreamInput,
  type TarStreamOptions,
} from "../../src/tar/tar_stream.ts";
import { gnuList, run } from "./oracle.ts";

const options: TarStreamOptions = { mtime: 0 };

function text(path: string, content: string, more: TarStreamOptions = options): TarStreamInput {
  const bytes = new TextEncoder().encode(content);
  const readable = new Blob([bytes]).stream();
  return { type: "file", path, size: bytes.length, readable, options: more };
}

function pack(...entries: TarStreamInput[]): Promise<Uint8Array> {
  return new Response(ReadableStream.from(entries).pipeThrough(new TarStream())).bytes();
}

Deno.test("files, directories, links and devices, as GNU tar lists them", async () => {
  const archive = await pack(
    { type: "directory", path: "d", options },
    text("d/empty", ""),
    text("d/full", "x".repeat(512)),
    text("d/more", "y".repeat(513)),
    { type: "symlink", path: "s", linkPath: "d/full", options },
    { type: "hardlink", path: "h", linkPath: "d/more", options },
    { type: "character", path: "null", options: { mtime: 0, devmajor: "1", devminor: 3 } },
    { type: "block", path: "b", options: { mtime: 0, devmajor: "10", devminor: "" } },
    { type: "fifo", path: "p", options },
  );
  assertEquals(archive.length % 512, 0);
  assertEquals((await gnuList(archive)).map((line) => line.replace(/ +/g, " ")), [
    "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 d/",
    "-rw-r--r-- 0/0 0 1970-01-01 00:00:00 d/empty",
    "-rw-r--r-- 0/0 512 1970-01-01 00:00:00 d/full",
    "-rw-r--r-- 0/0 513 1970-01-01 00:00:00 d/more",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 s -> d/full",
    "hrw-r--r-- 0/0 0 1970-01-01 00:00:00 h link to d/more",
    "crw-r--r-- 0/0 1,3 1970-01-01 00:00:00 null",
    "brw-r--r-- 0/0 8,0 1970-01-01 00:00:00 b",
    "prw-r--r-- 0/0 0 1970-01-01 00:00:00 p",
  ]);
  assertEquals((await run("tar", ["-xOf", "-", "d/more"], archive)).stdout, "y".repeat(513));
});

Deno.test("options reach the header; a mode out of stat loses its file type", async () => {
  const archive = await pack(
    text("a", "", { mode: 0o100755, uid: 7, gid: 8, mtime: { seconds: 5, nanoseconds: 7 } }),
    text("b", "", { mode: 0, mtime: 1.25, uname: "u", gname: "g" }),
    text("c", "", { mtime: 1_234_567_890.123456 }),
    text("d", "", { mtime: 0.99999999 }),
  );
  assertEquals((await gnuList(archive)).map((line) => line.replace(/ +/g, " ")), [
    "-rwxr-xr-x 7/8 0 1970-01-01 00:00:05.000000007 a",
    "---------- 0/0 0 1970-01-01 00:00:01.25 b",
    "-rw-r--r-- 0/0 0 2009-02-13 23:31:30.123456 c",
    "-rw-r--r-- 0/0 0 1970-01-01 00:00:01 d",
  ]);
  const named = (await run("tar", ["-tvf", "-", "b"], archive)).stdout;
  assert(named.includes(" u/g "), named);
});

Deno.test("an absent mtime is now", async () => {
  const before = Math.floor(Date.now() / 1000);
  const archive = await pack({ type: "fifo", path: "p" });
  const shown = (await gnuList(archive))[0]?.split(/ +/);
  const seconds = Date.parse(`${shown?.[3]}T${shown?.[4]?.slice(0, 8)}Z`) / 1000;
  assert(seconds >= before && seconds <= Date.now() / 1000, `${shown}`);
});

Deno.test("no entry at all gives an empty archive", async () => {
  assertEquals(await pack(), new Uint8Array(1024));
});

Deno.test("content that is not as long as announced fails the stream, and ends the input", async () => {
  for (const [size, found] of [[3, '"at least 4"'], [5, '"4"']] as const) {
    let cancelled = false;
    const entries = new ReadableStream<TarStreamInput>({
      pull(controller) {
        const readable = new Blob(["1234"]).stream();
        controller.enqueue({ type: "file", path: "f", size, readable, options });
      },
      cancel() {
        cancelled = true;
      },
    });
    const error = await assertRejects(
      () => new Response(entries.pipeThrough(new TarStream())).bytes(),
      LayerfsError,
      `Cannot write "f" to a tar archive: it should have ${size} bytes and has ${found}`,
    );
    assertEquals(error.code, "size-mismatch");
    assert(cancelled);
  }
});

Deno.test("an error of a file's stream is the archive's", async () => {
  const readable = new ReadableStream<Uint8Array>({
    pull() {
      throw new RangeError("the disk is gone");
    },
  });
  await assertRejects(
    () => pack({ type: "file", path: "f", size: 1, readable, options }),
    RangeError,
    "the disk is gone",
  );
});

Deno.test("a cancelled archive cancels the file that was being read", async () => {
  let cancelled = false;
  const readable = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new Uint8Array(10));
    },
    cancel() {
      cancelled = true;
    },
  });
  const input: TarStreamInput = { type: "file", path: "f", size: 1e9, readable, options };
  const reader = ReadableStream.from([input]).pipeThrough(new TarStream()).getReader();
  await reader.read();
  await reader.read();
  await reader.cancel();
  assert(cancelled);
});

Deno.test("content is read only as fast as the archive is taken", async () => {
  let produced = 0;
  const size = 1 << 30;
  const readable = new ReadableStream<Uint8Array>({
    pull(controller) {
      produced += 65536;
      controller.enqueue(new Uint8Array(65536));
    },
  });
  const input: TarStreamInput = { type: "file", path: "f", size, readable, options };
  const reader = ReadableStream.from([input]).pipeThrough(new TarStream()).getReader();
  for (let i = 0; i < 4; i++) await reader.read();
  assert(produced <= 65536 * 8, `${produced} bytes were read ahead`);
  await reader.cancel();
});

Deno.test("options that tar cannot carry are refused before anything is written", async () => {
  const wrong: [TarStreamOptions, string][] = [
    [{ mode: -1 }, "mode"],
    [{ mode: 0.5 }, "mode"],
    [{ mode: 0o200000 }, "mode"],
    [{ uid: NaN }, "uid"],
    [{ gid: -1 }, "gid"],
    [{ mtime: NaN }, "mtime"],
    [{ devmajor: "9" }, "major"],
    [{ devminor: "x" }, "minor"],
    [{ uname: "a\0" }, "NUL"],
  ];
  for (const [bad, what] of wrong) {
    assertThrows(() => assertValidTarStreamOptions(bad), LayerfsError, what);
    const special = { type: "character", path: "x", options: bad } as const;
    await assertRejects(() => pack(special), LayerfsError, what);
  }
  assertValidTarStreamOptions({});
  assertValidTarStreamOptions({ mode: 0o100644, mtime: -1.5, uid: 2 ** 32 - 1, uname: "ü" });
});
