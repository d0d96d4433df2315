import { assert, assertEquals, assertThrows } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import {
  encodeHeader,
  endOfArchive,
  padding,
  type TarEntryType,
  type TarHeader,
} from "../../src/tar/header.ts";
import { concat, latin1 } from "../fixtures/tar.ts";
import { gnuList, mtree, run } from "./oracle.ts";

const NEW: TarHeader = { type: "file", path: "a", mode: 0o644 };

/** An archive of entries without content. */
function archive(...entries: Partial<TarHeader>[]): Uint8Array {
  return concat([...entries.map((entry) => encodeHeader({ ...NEW, ...entry })), endOfArchive()]);
}

function refused(entry: Partial<TarHeader>, message: string): void {
  const error = assertThrows(() => encodeHeader({ ...NEW, ...entry }), LayerfsError, message);
  assertEquals(error.code, "unsupported");
}

Deno.test("a plain entry is one ustar block, and GNU tar reads every field of it", async () => {
  const header = encodeHeader({
    type: "file",
    path: "etc/motd",
    mode: 0o4750,
    uid: 1000,
    gid: 2_097_151,
    mtime: { seconds: 1_000_000_000, nanoseconds: 0 },
    uname: "someone",
    gname: "group",
  });
  assertEquals(header.length, 512);
  const bytes = concat([header, endOfArchive()]);
  assertEquals(await gnuList(bytes), [
    "-rwsr-x--- 1000/2097151      0 2001-09-09 01:46:40 etc/motd",
  ]);
  const { stdout } = await run("tar", ["-tvf", "-"], bytes);
  assert(stdout.includes("someone/group"), stdout);
});

Deno.test("every type is what both tars call it", async () => {
  const bytes = archive(
    { type: "directory", path: "d", mode: 0o1777 },
    { type: "symlink", path: "s", linkPath: "../x", mode: 0o777 },
    { type: "hardlink", path: "h", linkPath: "d/f" },
    { type: "character", path: "c", major: 5, minor: 1_048_575 },
    { type: "block", path: "b", major: 4095, minor: 7 },
    { type: "fifo", path: "p" },
  );
  const lines = (await gnuList(bytes)).map((line) => line.replace(/ +/g, " "));
  assertEquals(lines, [
    "drwxrwxrwt 0/0 0 1970-01-01 00:00:00 d/",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 s -> ../x",
    "hrw-r--r-- 0/0 0 1970-01-01 00:00:00 h link to d/f",
    "crw-r--r-- 0/0 5,1048575 1970-01-01 00:00:00 c",
    "brw-r--r-- 0/0 4095,7 1970-01-01 00:00:00 b",
    "prw-r--r-- 0/0 0 1970-01-01 00:00:00 p",
  ]);
  const types = (await mtree(bytes)).map((line) => /^(\S+) .*type=(\w+)/.exec(line)?.slice(1, 3));
  assertEquals(new Map(types as [string, string][]).get("./d"), "dir");
  assertEquals(new Map(types as [string, string][]).get("./c"), "char");
  assertEquals(new Map(types as [string, string][]).get("./s"), "link");
});

Deno.test("the root is written as ./", async () => {
  assertEquals(
    (await run("tar", ["-tf", "-"], archive({ type: "directory", path: "" }))).stdout,
    "./\n",
  );
  assertEquals(
    (await run("tar", ["-tf", "-"], archive({ type: "directory", path: "d/" }))).stdout,
    "d/\n",
  );
});

Deno.test("paths of every length around the limits of name and prefix come back whole", async () => {
  const paths: string[] = [];
  for (const length of [99, 100, 101, 155, 156, 254, 255, 256, 257, 300, 1000, 4000]) {
    paths.push("x".repeat(length));
    // A slash at every place that could divide name from prefix wrongly.
    for (const slash of [1, length - 102, length - 101, length - 100, length - 2, 154, 155, 156]) {
      if (slash < 1 || slash > length - 2) continue;
      paths.push("p".repeat(slash) + "/" + "n".repeat(length - slash - 1));
    }
  }
  for (const type of ["file", "directory"] as const) {
    const bytes = archive(...paths.map((path) => ({ type, path })));
    const expected = paths.map((path) => type === "file" ? path : path + "/").join("\n") + "\n";
    assertEquals((await run("tar", ["-tf", "-"], bytes)).stdout, expected);
    assertEquals((await run("bsdtar", ["-tf", "-"], bytes)).stdout, expected);
  }
});

Deno.test("a path that name and prefix can hold needs no pax header", () => {
  const fits = "p".repeat(155) + "/" + "n".repeat(100);
  assertEquals(encodeHeader({ ...NEW, path: fits }).length, 512);
  assertEquals(encodeHeader({ ...NEW, path: "p".repeat(156) + "/n" }).length, 512 * 3);
  assertEquals(encodeHeader({ ...NEW, path: "x".repeat(101) }).length, 512 * 3);
});

Deno.test("link targets around 100 bytes come back whole", async () => {
  for (const type of ["symlink", "hardlink"] as const) {
    for (const length of [1, 99, 100, 101, 102, 4095]) {
      const linkPath = "t".repeat(length);
      const [line] = await gnuList(archive({ type, path: "l", linkPath }));
      assert(line?.endsWith(`${type === "symlink" ? "->" : "link to"} ${linkPath}`), line);
    }
  }
});

Deno.test("UTF-8 names go into pax records, so that every reader knows their encoding", async () => {
  const bytes = archive({ path: "größe/日本" }, { type: "symlink", path: "l", linkPath: "é" });
  for (const program of ["tar", "bsdtar"]) {
    assertEquals((await run(program, ["-tf", "-"], bytes)).stdout, "größe/日本\nl\n");
  }
  // Without records, bsdtar would take the bytes for those of another locale.
  assertEquals((await run("bsdtar", ["-tvf", "-"], bytes)).stdout.split(" -> ")[1], "é\n");
});

Deno.test("names that are not UTF-8 keep their bytes, short and long", async () => {
  for (const times of [1, 30, 80]) {
    const name = latin1("caf\xe9".repeat(times));
    const target = latin1("\xff".repeat(times * 2));
    const bytes = archive({ path: name }, { type: "symlink", path: "l", linkPath: target });
    const gnu = await run("tar", ["--warning=no-unknown-keyword", "-tf", "-"], bytes);
    assertEquals(gnu.stderr, "");
    assertEquals(gnu.stdout, "caf\\351".repeat(times) + "\nl\n");
    const lines = await mtree(bytes);
    assert(lines.some((line) => line.startsWith("./" + "caf\\351".repeat(times) + " ")));
    assert(lines.some((line) => line.endsWith(" link=" + "\\377".repeat(times * 2))));
  }
});

Deno.test("ids beyond seven octal digits", async () => {
  const bytes = archive(
    { path: "a", uid: 2_097_151, gid: 2_097_152 },
    { path: "b", uid: 4_294_967_294, gid: 4_294_967_295 },
  );
  const owners = (await gnuList(bytes)).map((line) => line.split(" ")[1]);
  assertEquals(owners, ["2097151/2097152", "4294967294/4294967295"]);
  assert((await mtree(bytes)).some((line) => line.includes("gid=4294967295 uid=4294967294")));
});

Deno.test("sizes around 8 GiB and beyond", async () => {
  for (const size of [0o77777777777, 0o100000000000, 2 ** 43]) {
    // Only the header is there: bsdtar prints the entry before it misses the content.
    const command = new Deno.Command("bsdtar", {
      args: ["-tvf", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    });
    await using child = command.spawn();
    const writer = child.stdin.getWriter();
    await writer.write(encodeHeader({ ...NEW, size }));
    await writer.close();
    const { stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout).split(/ +/)[4], String(size));
  }
});

Deno.test("times: before 1970, with fractions, and beyond eleven octal digits", async () => {
  const dir = await Deno.makeTempDir();
  const times: [seconds: number, nanoseconds: number][] = [
    [0, 0],
    [0, 1],
    [1_000_000_000, 123_456_789],
    [1_000_000_000, 500_000_000],
    [-1, 0],
    [-1, 500_000_000],
    [-2, 999_999_999],
    [-1_000_000_000, 1],
    [2 ** 33 - 1, 0],
    [2 ** 33, 0],
  ];
  const bytes = archive(...times.map(([seconds, nanoseconds], i) => ({
    path: `f${i}`,
    mtime: { seconds, nanoseconds },
  })));
  await run("tar", ["-C", dir, "--warning=no-timestamp", "-xf", "-"], bytes);
  const paths = times.map((_, i) => `${dir}/f${i}`);
  // stat prints the nanoseconds of -0.5 s as those of -1 s + 0.5 s, the form of TarTime.
  const { stdout } = await run("stat", ["-c", "%.9Y", ...paths]);
  await Deno.remove(dir, { recursive: true });
  assertEquals(
    stdout.trimEnd().split("\n"),
    times.map(([seconds, nanoseconds]) => {
      const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
      const magnitude = (total < 0n ? -total : total).toString().padStart(10, "0");
      return `${total < 0n ? "-" : ""}${magnitude.slice(0, -9)}.${magnitude.slice(-9)}`;
    }),
  );
});

Deno.test("extended attributes, with any byte in the value and = and % in the name", async () => {
  const dir = await Deno.makeTempDir();
  const bytes = archive({
    path: "f",
    xattrs: new Map([
      ["user.z", new Uint8Array([0, 10, 61, 255])],
      ["user.a=b%c", new TextEncoder().encode("value")],
      ["user.empty", new Uint8Array(0)],
    ]),
  });
  await run("tar", ["-C", dir, "--xattrs", "--xattrs-include=*", "-xf", "-"], bytes);
  const { stdout } = await run("getfattr", [
    "-d",
    "-e",
    "hex",
    "-m-",
    "--absolute-names",
    `${dir}/f`,
  ]);
  await Deno.remove(dir, { recursive: true });
  assertEquals(
    stdout.trimEnd().split("\n").slice(1),
    [
      "user.a=b%c=0x76616c7565",
      "user.empty=0x",
      "user.z=0x000a3dff",
    ].map((line) => line.replace("user.a=b%c", "user.a\\075b%c")),
  );
});

Deno.test("the same entry gives the same bytes, whatever the order of its attributes", () => {
  const entry = (names: string[]): TarHeader => ({
    ...NEW,
    path: "ü".repeat(100),
    mtime: { seconds: 1, nanoseconds: 1 },
    xattrs: new Map(names.map((name) => [name, new Uint8Array([1])])),
  });
  const a = encodeHeader(entry(["user.b", "user.a"]));
  const b = encodeHeader(entry(["user.a", "user.b"]));
  assertEquals(a, b);
});

Deno.test("pax records count their own digits over every power of ten", async () => {
  const paths = [...Array(1200).keys()].map((i) => "n".repeat(i + 101));
  const bytes = archive(...paths.map((path) => ({ path })));
  assertEquals((await run("tar", ["-tf", "-"], bytes)).stdout, paths.join("\n") + "\n");
});

Deno.test("content is filled up to whole blocks", () => {
  const lengths = [0, 1, 511, 512, 513, 2 ** 40 + 1].map((size) => padding(size).length);
  assertEquals(lengths, [0, 511, 1, 0, 511, 511]);
});

Deno.test("what no header can carry is refused, with the path and the value", () => {
  refused({ mode: 0o10000 }, 'Cannot write "a" to a tar archive: mode is "4096"');
  refused({ mode: -1 }, 'mode is "-1"');
  refused({ uid: -1 }, 'uid is "-1"');
  refused({ uid: 2 ** 32 }, 'uid is "4294967296"');
  refused({ gid: 0.5 }, 'gid is "0.5"');
  refused({ size: NaN }, 'size is "NaN"');
  refused({ size: 2 ** 53 }, "size is");
  refused({ type: "character", major: 2 ** 21 }, "device major number");
  refused({ type: "character", minor: -1 }, "device minor number");
  refused({ mtime: { seconds: 0.5, nanoseconds: 0 } }, "mtime in seconds");
  refused({ mtime: { seconds: 0, nanoseconds: 1_000_000_000 } }, "mtime in nanoseconds");
  refused({ path: "a\0b" }, "NUL");
  refused({ path: new Uint8Array([0x61, 0, 0xff]) }, "NUL");
  refused({ type: "symlink", linkPath: "\0" }, "NUL");
  refused({ type: "symlink" }, 'link target of this entry type is "absent"');
  refused({ linkPath: "x" }, 'link target of this entry type is "set"');
  refused({ path: "x".repeat(2 ** 20) }, "extended header");
});

Deno.test("the size field is that of files only", () => {
  const types: TarEntryType[] = ["directory", "fifo", "character", "block"];
  for (const type of types) {
    const header = encodeHeader({ type, path: "x", mode: 0, size: 5 });
    assertEquals(new TextDecoder().decode(header.subarray(124, 135)), "00000000000");
  }
});
