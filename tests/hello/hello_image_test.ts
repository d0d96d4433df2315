import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { BlobLocation } from "../../src/blob/location.ts";
import { LayerfsError } from "../../src/errors.ts";
import { HELLO_TEXT, writeHelloLayout } from "../../src/hello/hello_image.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { resolveImage } from "../../src/source/image.ts";
import { gnuList } from "../tar/oracle.ts";

/** Files of a directory with their SHA-256. */
function digests(dir: string, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(`${dir}/${prefix}`)) {
    const path = prefix + name;
    if (isDirectory) digests(dir, `${path}/`).forEach((digest, file) => found.set(file, digest));
    else {found.set(
        path,
        createHash("sha256").update(Deno.readFileSync(`${dir}/${path}`)).digest("hex"),
      );}
  }
  return found;
}

async function withDirectory(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("the layout resolves on both platforms, and every blob has the digest of its name", async () => {
  await withDirectory(async (dir) => {
    await writeHelloLayout(`${dir}/new/layout`);
    for (const [path, digest] of digests(`${dir}/new/layout`)) {
      if (path.startsWith("blobs/")) assertEquals(path, `blobs/sha256/${digest}`);
    }
    for (const name of ["linux/amd64", "linux/arm64"]) {
      const image = await resolveImage(`oci:${dir}/new/layout:hello`, parsePlatform(name));
      assertEquals(`${image.platform.os}/${image.platform.architecture}`, name);
      assertEquals(image.config.config.cmd, ["/hello"]);
      const [layer] = image.layers;
      const tar = gunzipSync(Deno.readFileSync((layer!.content as BlobLocation).path));
      assertEquals(layer!.diffId, `sha256:${createHash("sha256").update(tar).digest("hex")}`);
      assert(new TextDecoder().decode(tar).includes(HELLO_TEXT));
      const paths = (await gnuList(tar)).map((line) => line.split(" ").at(-1));
      assertEquals(paths, [
        ..."dev/ etc/ proc/ sys/ tmp/ etc/group etc/passwd hello".split(" "),
      ]);
    }
  });
});

Deno.test("every run writes the same bytes", async () => {
  await withDirectory(async (dir) => {
    await writeHelloLayout(`${dir}/a`);
    await writeHelloLayout(`${dir}/b`);
    assertEquals(digests(`${dir}/a`), digests(`${dir}/b`));
    // What other machines and other versions of Deno write as well.
    assertEquals(digests(`${dir}/a`).get("index.json"), INDEX_DIGEST);
  });
});

Deno.test("writing again changes nothing, and mends what is missing", async () => {
  await withDirectory(async (dir) => {
    await writeHelloLayout(dir);
    const before = digests(dir);
    const [blob] = [...before.keys()].filter((path) => path.startsWith("blobs/"));
    await Deno.remove(`${dir}/${blob}`);
    await writeHelloLayout(dir);
    assertEquals(digests(dir), before);
    await Deno.remove(`${dir}/index.json`);
    await writeHelloLayout(dir);
    assertEquals(digests(dir), before);
  });
});

Deno.test("a directory with other files stays as it is", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/precious`, "mine");
    const error = await assertRejects(
      () => writeHelloLayout(dir),
      LayerfsError,
      "holds other files",
    );
    assertEquals(error.code, "conflict");
    assertEquals([...digests(dir).keys()], ["precious"]);
    await Deno.remove(`${dir}/precious`);
    await Deno.writeTextFile(`${dir}/index.json`, "{}");
    await assertRejects(() => writeHelloLayout(dir), LayerfsError, "holds other files");
    assertEquals(await Deno.readTextFile(`${dir}/index.json`), "{}");
  });
});

Deno.test("a file in the place of the directory is an error with its path", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const error = await assertRejects(() => writeHelloLayout(`${dir}/file`), LayerfsError, "/file");
    assertEquals(error.code, "conflict");
  });
});

const INDEX_DIGEST = "c0dce09eab5a679813e4ac212921b9655d873d10561e67993121ddac259b1acd";
