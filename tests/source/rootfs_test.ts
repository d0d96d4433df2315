import { assertEquals } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openRootfs } from "../../src/source/rootfs.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { refuses, withDirectory } from "./scratch.ts";

const TAR = tarball([file("a", "1")]);

Deno.test("a directory is one, also through a symlink", async () => {
  await withDirectory((dir) => {
    Deno.mkdirSync(`${dir}/root`);
    Deno.symlinkSync("root", `${dir}/link`);
    const path = `${Deno.realPathSync(dir)}/root`;
    assertEquals(openRootfs(`${dir}/root`), { kind: "directory", path });
    assertEquals(openRootfs(`${dir}/link`), { kind: "directory", path });
  });
});

Deno.test("tar archives are known by their content, whatever their names", async () => {
  await withDirectory((dir) => {
    const v7 = tarball([file("a", "1", { format: "v7" })]);
    // A name that begins like a gzip file is still a name.
    const disguised = tarball([file(new Uint8Array([0x1f, 0x8b, 8, 0x61]), "1")]);
    const cases: [Uint8Array, "none" | "gzip" | "zstd"][] = [
      [TAR, "none"],
      [v7, "none"],
      [disguised, "none"],
      [new Uint8Array(0), "none"],
      [new Uint8Array(1024), "none"],
      [new Uint8Array(gzipSync(TAR)), "gzip"],
      [new Uint8Array(zstdCompressSync(TAR)), "zstd"],
    ];
    for (const [bytes, compression] of cases) {
      Deno.writeFileSync(`${dir}/rootfs.img`, bytes);
      const path = `${Deno.realPathSync(dir)}/rootfs.img`;
      assertEquals(openRootfs(`${dir}/rootfs.img`), {
        kind: "tar",
        location: { path, offset: 0, length: bytes.length },
        compression,
      });
    }
  });
});

Deno.test("other files are refused, with what to do", async () => {
  await withDirectory(async (dir) => {
    const xz = new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]);
    Deno.writeFileSync(`${dir}/a.tar.xz`, xz);
    await refuses(
      () => openRootfs(`${dir}/a.tar.xz`),
      "unsupported",
      `Cannot use rootfs "${dir}/a.tar.xz": it is compressed with xz`,
      "unxz --keep",
    );
    Deno.writeTextFileSync(`${dir}/text`, "x".repeat(2000));
    await refuses(() => openRootfs(`${dir}/text`), "unsupported", "it is not a tar archive");
    await refuses(() => openRootfs(`${dir}/absent`), "not-found", `rootfs "${dir}/absent"`);
    await new Deno.Command("mkfifo", { args: [`${dir}/fifo`] }).output();
    await refuses(() => openRootfs(`${dir}/fifo`), "image-invalid", "FIFO");
  });
});
