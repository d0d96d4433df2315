import { assert, assertEquals } from "@std/assert";
import { parseDigest } from "../../src/oci/digest.ts";
import { BlobStore, digestLocation } from "../../src/store/blobs.ts";
import { digestOf } from "../fixtures/image.ts";
import { readLocation, refuses, withDirectory } from "../source/scratch.ts";

/** A store's directory with a staging directory in it. */
async function withBlobs(
  test: (blobs: BlobStore, dir: string, staging: string) => unknown,
): Promise<void> {
  await withDirectory(async (dir) => {
    const staging = `${dir}/staging/x`;
    await Deno.mkdir(staging, { recursive: true });
    await test(new BlobStore(dir), dir, staging);
  });
}

/** Bytes that differ from place to place, more than one piece of a copy. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 24);
}

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

Deno.test("a blob is copied from memory and from a range of a file, in both algorithms", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    const bytes = content(3_000_001);
    await Deno.writeFile(`${dir}/archive`, new Uint8Array([1, 2, 3, ...bytes, 4]));
    const location = { path: `${dir}/archive`, offset: 3, length: bytes.length };
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const engine of ["wasm", "native"] as const) {
        for (const source of [bytes, location]) {
          const digest = parseDigest(digestOf(bytes, algorithm));
          let told = 0;
          const onBytes = (delta: number) => told += delta;
          assertEquals(await blobs.add(source, digest, { staging, engine, onBytes }), "copied");
          assertEquals(told, bytes.length);
          assertEquals(readLocation(blobs.locate(digest)), bytes);
          assertEquals(Deno.statSync(blobs.locate(digest)!.path).mode! & 0o777, 0o600);
          assertEquals(await blobs.add(source, digest, { staging, engine }), "reused");
          assertEquals(names(staging), []);
          assertEquals(blobs.remove(digest), bytes.length);
        }
      }
    }
    assertEquals(blobs.list(), []);
    assertEquals(
      await digestLocation(location, { engine: "wasm" }) as string,
      digestOf(bytes),
    );
  });
});

Deno.test("what is not what it should be leaves nothing", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    const bytes = content(2_500_000);
    const digest = parseDigest(digestOf(bytes));
    const how = { staging, engine: "wasm" } as const;
    const path = `${dir}/file`;
    await Deno.writeFile(path, bytes.with(2_400_000, bytes[2_400_000]! ^ 1));
    const location = { path, offset: 0, length: bytes.length };
    await refuses(() => blobs.add(location, digest, how), "digest-mismatch", digest, "digest is");
    await Deno.truncate(path, 2_000_000);
    await refuses(() => blobs.add(location, digest, how), "size-mismatch", "ends after 2000000");
    await Deno.remove(path);
    await refuses(() => blobs.add(location, digest, how), "not-found");
    await Deno.symlink("/etc/passwd", path);
    await refuses(() => blobs.add(location, digest, how), "image-invalid", "symbolic link");
    assertEquals(names(staging), []);
    assertEquals(blobs.list(), []);
    const blake3 = parseDigest(`blake3:${"0".repeat(64)}`);
    await refuses(() => blobs.add(bytes, blake3, how), "unsupported", "blake3");
  });
});

Deno.test("an aborted copy ends with nothing written", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    const bytes = content(20_000_000);
    await Deno.writeFile(`${dir}/file`, bytes);
    const location = { path: `${dir}/file`, offset: 0, length: bytes.length };
    const controller = new AbortController();
    let pieces = 0;
    const add = () =>
      blobs.add(location, parseDigest(digestOf(bytes)), {
        staging,
        engine: "native",
        signal: controller.signal,
        onBytes: () => {
          if (++pieces === 3) controller.abort();
        },
      });
    await refuses(add, "interrupted");
    assertEquals(pieces, 3);
    await refuses(add, "interrupted");
    assertEquals([names(staging), blobs.list()], [[], []]);
  });
});

Deno.test("a signal that aborts on the event loop gets its turn within a long copy", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    await Deno.writeFile(`${dir}/file`, new Uint8Array(0));
    await Deno.truncate(`${dir}/file`, 2 ** 32);
    const location = { path: `${dir}/file`, offset: 0, length: 2 ** 32 };
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), 1);
    const digest = parseDigest(digestOf(new Uint8Array(0)));
    const { signal } = controller;
    await refuses(
      () => blobs.add(location, digest, { staging, engine: "native", signal }),
      "interrupted",
    );
    clearTimeout(timer);
  });
});

Deno.test("a blob cut short is written again; another entry of its name is not", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    const bytes = content(1000);
    const digest = parseDigest(digestOf(bytes));
    const how = { staging, engine: "wasm" } as const;
    await blobs.add(bytes, digest, how);
    const { path } = blobs.locate(digest)!;
    await Deno.truncate(path, 10);
    assertEquals(await blobs.add(bytes, digest, how), "copied");
    assertEquals(readLocation(blobs.locate(digest)), bytes);
    await Deno.remove(path);
    await Deno.symlink(`${dir}/victim`, path);
    await refuses(() => blobs.add(bytes, digest, how), "image-invalid", "not a regular file");
    await refuses(() => blobs.remove(digest), "image-invalid", "not a regular file");
    assert(Deno.lstatSync(path).isSymlink);
  });
});

Deno.test("blobs/ as a symlink or a file is refused, and nothing is written through it", async () => {
  for (
    const [name, make] of [
      ["blobs", (path: string, dir: string) => Deno.symlinkSync(`${dir}/victim`, path)],
      ["blobs", (path: string) => Deno.writeTextFileSync(path, "")],
      ["blobs/sha256", (path: string, dir: string) => Deno.symlinkSync(`${dir}/victim`, path)],
    ] as const
  ) {
    await withBlobs(async (blobs, dir, staging) => {
      await Deno.mkdir(`${dir}/victim`);
      if (name !== "blobs") await Deno.mkdir(`${dir}/blobs`);
      make(`${dir}/${name}`, dir);
      const bytes = content(10);
      const digest = parseDigest(digestOf(bytes));
      const add = () => blobs.add(bytes, digest, { staging, engine: "wasm" });
      await refuses(add, "image-invalid", `"${name}" is not a directory`);
      await refuses(() => blobs.initialize(), "image-invalid", `"${name}" is not a directory`);
      await refuses(() => blobs.list(), "image-invalid", `"${name}" is not a directory`);
      assertEquals(names(`${dir}/victim`), []);
    });
  }
});

Deno.test("list gives the blobs by digest, and passes over what is none", async () => {
  await withBlobs(async (blobs, dir, staging) => {
    assertEquals(blobs.list(), []);
    blobs.initialize();
    const all = [content(1), content(2)].flatMap((bytes) =>
      (["sha256", "sha512"] as const).map((algorithm) => ({
        bytes,
        digest: parseDigest(digestOf(bytes, algorithm)),
      }))
    );
    for (const { bytes, digest } of all) {
      await blobs.add(bytes, digest, { staging, engine: "wasm" });
    }
    await Deno.writeTextFile(`${dir}/blobs/sha256/oci-put-blob123`, "");
    await Deno.mkdir(`${dir}/blobs/sha256/${"0".repeat(64)}`);
    await Deno.mkdir(`${dir}/blobs/blake3`);
    const expected = all.map(({ bytes, digest }) => ({ digest, bytes: bytes.length }));
    assertEquals(blobs.list(), expected.sort((a, b) => a.digest < b.digest ? -1 : 1));
    const absent = parseDigest(`sha256:${"1".repeat(64)}`);
    assertEquals([blobs.locate(absent), blobs.remove(absent)], [null, 0]);
  });
});

Deno.test("a file becomes a blob, or goes where there is one", async () => {
  await withBlobs(async (blobs, _dir, staging) => {
    const bytes = content(100);
    const blob = { digest: parseDigest(digestOf(bytes)), bytes: 100 };
    for (const expected of ["copied", "reused"]) {
      await Deno.writeFile(`${staging}/file`, bytes);
      assertEquals(blobs.adopt(`${staging}/file`, blob), expected);
      assertEquals(names(staging), []);
      assertEquals(blobs.list(), [blob]);
    }
  });
});

Deno.test("many adding one blob at a time end with one whole blob", async () => {
  await withBlobs(async (blobs, dir) => {
    const bytes = content(1_500_000);
    const digest = parseDigest(digestOf(bytes));
    await Deno.writeFile(`${dir}/file`, bytes);
    const location = { path: `${dir}/file`, offset: 0, length: bytes.length };
    const results = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const staging = `${dir}/staging/${i}`;
      await Deno.mkdir(staging);
      return await blobs.add(location, digest, { staging, engine: "wasm" });
    }));
    assert(results.includes("copied"));
    assertEquals(readLocation(blobs.locate(digest)), bytes);
    assertEquals(blobs.list().length, 1);
  });
});
