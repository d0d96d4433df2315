import { assert, assertEquals } from "@std/assert";
import { MAX_ARCHIVE_MEMBERS } from "../../src/limits.ts";
import { Archive } from "../../src/source/archive.ts";
import {
  concat,
  dir,
  fifo,
  file,
  gnuLong,
  hardlink,
  pax,
  symlink,
  tarball,
} from "../fixtures/tar.ts";
import { run } from "../tar/oracle.ts";
import { readLocation, refuses, withDirectory } from "./scratch.ts";

/** Writes the bytes to a file and opens them as an archive. */
async function withArchive(
  bytes: Uint8Array,
  test: (open: () => Archive, path: string) => unknown,
): Promise<void> {
  await withDirectory(async (directory) => {
    const path = `${directory}/archive.tar`;
    Deno.writeFileSync(path, bytes);
    await test(() => new Archive(path), path);
  });
}

function text(archive: Archive, name: string): string {
  return new TextDecoder().decode(readLocation(archive.locate(name)));
}

Deno.test("members of archives by GNU tar and bsdtar are found where they lie", async () => {
  await withDirectory(async (root) => {
    const names = ["a", "d/b", "d/empty", `d/${"n".repeat(150)}`, "größe", "z"];
    Deno.mkdirSync(`${root}/in/d`, { recursive: true });
    const contents = new Map(names.map((name, i) => [name, `${name};`.repeat(i * 300)]));
    contents.set("d/empty", "");
    contents.forEach((content, name) => Deno.writeTextFileSync(`${root}/in/${name}`, content));
    const writers: [string, string[]][] = [
      ...["gnu", "posix", "oldgnu"].map((f): [string, string[]] => ["tar", [`--format=${f}`]]),
      ...["pax", "gnutar"].map((f): [string, string[]] => ["bsdtar", [`--format=${f}`]]),
      ["tar", ["--format=posix", "--pax-option=comment=global"]],
    ];
    for (const [program, options] of writers) {
      for (const what of [".", "./"]) {
        await run(program, ["-C", `${root}/in`, ...options, "-cf", `${root}/a.tar`, what]);
        const archive = new Archive(`${root}/a.tar`);
        for (const [name, content] of contents) assertEquals(text(archive, name), content);
        assert(archive.has("d") && !archive.has("x"));
        assertEquals(archive.locate("x"), null);
      }
    }
  });
});

Deno.test("content beyond 4 GiB and 8 GiB is jumped over", async () => {
  await withDirectory((root) => {
    const path = `${root}/huge.tar`;
    using out = Deno.openSync(path, { write: true, create: true });
    const five = 5 * 2 ** 30;
    const nine = 9 * 2 ** 30;
    // The content is holes: only headers take space on the disk.
    const parts: [Uint8Array, number][] = [
      [file("five", "", { size: five }), five],
      [file("nine", "", { size: nine }), nine],
      [file("last", "end"), 0],
      [new Uint8Array(1024), 0],
    ];
    for (const [bytes, hole] of parts) {
      out.writeSync(bytes);
      out.seekSync(hole, Deno.SeekMode.Current);
    }
    const archive = new Archive(path);
    assertEquals(archive.locate("nine")?.offset, 512 + five + 512);
    assertEquals(archive.locate("nine")?.length, nine);
    assertEquals(text(archive, "last"), "end");
  });
});

Deno.test("links are followed within the archive", async () => {
  const bytes = tarball([
    file("a/layer.tar", "layer"),
    symlink("b/layer.tar", "../a/layer.tar"),
    symlink("c", "/b/./layer.tar"),
    hardlink("d", "a/layer.tar"),
    symlink("e", "d"),
    symlink("before", "after"),
    file("after", "later"),
  ]);
  await withArchive(bytes, (open) => {
    const archive = open();
    for (const name of ["b/layer.tar", "c", "d", "e"]) assertEquals(text(archive, name), "layer");
    assertEquals(text(archive, "before"), "later");
  });
});

Deno.test("links that lead out, nowhere or round are errors, and read nothing of the host", async () => {
  const chain = [...Array(50).keys()].map((i) => symlink(`chain${i}`, `chain${i + 1}`));
  const bytes = tarball([
    symlink("out", "../../../../etc/passwd"),
    symlink("absolute", "/etc/passwd"),
    symlink("dangling", "nothing"),
    symlink("self", "self"),
    symlink("ping", "pong"),
    symlink("pong", "ping"),
    symlink("directory", "d"),
    dir("d"),
    fifo("fifo"),
    ...chain,
  ]);
  await withArchive(bytes, async (open, path) => {
    const archive = open();
    const cases: [string, string][] = [
      ["out", "link out of the archive"],
      ["absolute", 'it is a link to "etc/passwd", which is not in it'],
      ["dangling", 'it is a link to "nothing", which is not in it'],
      ["self", "more than 40 links"],
      ["ping", "more than 40 links"],
      ["chain0", "more than 40 links"],
      ["directory", '"d" is a directory'],
      ["fifo", '"fifo" is a fifo'],
    ];
    for (const [name, message] of cases) {
      await refuses(
        () => archive.locate(name),
        "image-invalid",
        `Cannot read "${name}" in archive "${path}"`,
        message,
      );
    }
  });
});

Deno.test("two members of one name are refused, however the name is written", async () => {
  const pairs: [Uint8Array, Uint8Array][] = [
    [file("x", "1"), file("x", "2")],
    [file("x", "1"), file("./x", "1")],
    [file("x", "1"), symlink("/x", "y")],
    [file("x", "1"), dir("x")],
    [dir("x"), file("d/../x", "1")],
  ];
  for (const pair of pairs) {
    await withArchive(tarball([...pair, file("y", "other"), symlink("z", "x")]), async (open) => {
      const archive = open();
      await refuses(() => archive.locate("x"), "image-invalid", '"x" is in it twice');
      await refuses(() => archive.locate("z"), "image-invalid", '"x" is in it twice');
      assertEquals(text(archive, "y"), "other");
    });
  }
  await withArchive(tarball([dir("d"), dir("d"), file("d/x", "1")]), (open) => {
    assertEquals(text(open(), "d/x"), "1");
  });
});

Deno.test("a sparse member is not one range of the archive", async () => {
  await withDirectory(async (root) => {
    Deno.writeTextFileSync(`${root}/s`, "start");
    Deno.truncateSync(`${root}/s`, 1_000_000);
    for (
      const options of [["--format=gnu"], ["--format=posix"], [
        "--format=posix",
        "--sparse-version=0.1",
      ]]
    ) {
      await run("tar", ["-C", root, "-S", ...options, "-cf", `${root}/a.tar`, "s"]);
      const archive = new Archive(`${root}/a.tar`);
      await refuses(() => archive.locate("s"), "image-invalid", '"s" is a sparse file');
    }
  });
});

Deno.test("compressed archives are refused with the command that helps", async () => {
  await withDirectory(async (root) => {
    Deno.writeFileSync(`${root}/a.tar`, tarball([file("a", "content")]));
    const { bytes: gzip } = await run("tar", ["-C", root, "-czf", "-", "a.tar"]);
    const zstd = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0, 0]);
    const skippable = new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
    const others: [string, Uint8Array, string][] = [
      ["gzip", gzip, "gunzip --keep"],
      ["zstd", zstd, "zstd --decompress"],
      ["zstd", skippable, "zstd --decompress"],
      ["xz", new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), "unxz --keep"],
      ["bzip2", new TextEncoder().encode("BZh91AY&SY"), "bunzip2 --keep"],
      ["lz4", new Uint8Array([4, 0x22, 0x4d, 0x18]), "unlz4 --keep"],
    ];
    for (const [format, bytes, command] of others) {
      Deno.writeFileSync(`${root}/b.tar`, bytes);
      await refuses(
        () => new Archive(`${root}/b.tar`),
        "unsupported",
        `Cannot open archive "${root}/b.tar": it is compressed with ${format}`,
        `${command} "${root}/b.tar"`,
      );
    }
  });
});

Deno.test("what is no archive is refused", async () => {
  for (const bytes of [new TextEncoder().encode("hello"), new Uint8Array(5000).fill(7)]) {
    await withArchive(bytes, async (open) => {
      await refuses(open, "image-invalid", "Cannot open archive", "it is not a tar archive");
    });
  }
  await withDirectory(async (root) => {
    await refuses(() => new Archive(`${root}/absent.tar`), "not-found", `"${root}/absent.tar"`);
    await refuses(() => new Archive(root), "image-invalid", "a directory");
    await new Deno.Command("mkfifo", { args: [`${root}/fifo`] }).output();
    await refuses(() => new Archive(`${root}/fifo`), "image-invalid", "FIFO");
  });
});

Deno.test("truncated and damaged archives are refused, with the archive's name", async () => {
  const whole = tarball([file("first", "1"), file("x", "x".repeat(3000))]);
  for (const length of [100, 512, 1024 + 100, 1024 + 512 + 1, 1024 + 512 + 2999]) {
    await withArchive(whole.subarray(0, length), async (open, path) => {
      await refuses(open, "image-invalid", `Cannot open archive "${path}": `);
    });
  }
  await withArchive(
    tarball([file("a", "1"), file("b", "2", { checksumError: 1 })]),
    async (open) => {
      await refuses(open, "image-invalid", "Cannot open archive", "checksum");
    },
  );
  // The padding of the last member, and the blocks that end the archive, may be missing.
  for (const length of [1024 + 512 + 3000, whole.length - 1024, whole.length - 512]) {
    await withArchive(whole.subarray(0, length), (open) => {
      assertEquals(text(open(), "x"), "x".repeat(3000));
    });
  }
});

Deno.test("what comes after the end is no part of the archive", async () => {
  const bytes = concat([
    tarball([file("a", "1")]),
    new Uint8Array(9000),
    tarball([file("b", "2")]),
  ]);
  await withArchive(bytes, (open) => {
    const archive = open();
    assertEquals([text(archive, "a"), archive.has("b")], ["1", false]);
  });
});

Deno.test("an endless tail of zeros is not read to its end", async () => {
  await withArchive(tarball([file("a", "1")]), (open, path) => {
    Deno.truncateSync(path, 2 ** 43);
    assertEquals(text(open(), "a"), "1");
  });
});

Deno.test("long names in pax and GNU headers belong to the member after them", async () => {
  const long = `d/${"l".repeat(300)}`;
  const bytes = tarball([
    pax({ path: long }),
    file("short", "pax"),
    gnuLong("L", `${long}2`),
    file("short", "gnu"),
    file("short", "own"),
  ]);
  await withArchive(bytes, (open) => {
    const archive = open();
    assertEquals(text(archive, long), "pax");
    assertEquals(text(archive, `${long}2`), "gnu");
    assertEquals(text(archive, "short"), "own");
  });
});

Deno.test("names are normalised, and none leads above the archive", async () => {
  await withArchive(tarball([file("/abs", "1"), file("./a//b/../c", "2")]), (open) => {
    const archive = open();
    assertEquals([text(archive, "abs"), text(archive, "a/c")], ["1", "2"]);
  });
  await withArchive(tarball([file("ok", "1"), file("a/../../b", "2")]), async (open) => {
    await refuses(open, "image-invalid", "above the root");
  });
});

Deno.test("members beyond the cap are an error", async () => {
  const members = Array<Uint8Array>(MAX_ARCHIVE_MEMBERS + 1).fill(dir("d"));
  await withArchive(tarball(members), async (open) => {
    await refuses(open, "image-invalid", "it has more than 100000 members");
  });
});
