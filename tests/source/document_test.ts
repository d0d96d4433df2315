import { assertEquals } from "@std/assert";
import { MAX_DOCUMENT_BYTES } from "../../src/limits.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { readDocument, readVerified } from "../../src/source/document.ts";
import { digestOf, WRONG_DIGEST } from "../fixtures/image.ts";
import { descriptorOf, refuses, withDirectory } from "./scratch.ts";

const CONTENT = new TextEncoder().encode('{"a":1}');

function unlocatable(): never {
  throw new TypeError("nothing is to be located");
}

Deno.test("a range of a file is read, and no more", async () => {
  await withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/f`, "0123456789");
    const read = readDocument({ path: `${dir}/f`, offset: 3, length: 4 }, "x");
    assertEquals(new TextDecoder().decode(read), "3456");
  });
});

Deno.test("a file that has shrunk, a FIFO and a symlink are errors", async () => {
  await withDirectory(async (dir) => {
    Deno.writeTextFileSync(`${dir}/f`, "0123456789");
    Deno.symlinkSync("f", `${dir}/link`);
    await new Deno.Command("mkfifo", { args: [`${dir}/fifo`] }).output();
    const read = (name: string, length: number) =>
      readDocument({ path: `${dir}/${name}`, offset: 5, length }, "index.json");
    await refuses(() => read("f", 6), "size-mismatch", "Cannot read index.json", "ends early");
    await refuses(() => read("link", 1), "image-invalid", "symbolic link");
    await refuses(() => read("fifo", 1), "image-invalid", "FIFO");
    await refuses(() => read("absent", 1), "not-found");
  });
});

Deno.test("size and digest are verified, by sha256 and sha512", async () => {
  await withDirectory(async (dir) => {
    const path = `${dir}/f`;
    Deno.writeFileSync(path, CONTENT);
    const locate = () => ({ path, offset: 0, length: CONTENT.length });
    const right = descriptorOf(CONTENT);
    assertEquals(readVerified(right, locate), CONTENT);
    const sha512 = { ...right, digest: parseDigest(digestOf(CONTENT, "sha512")) };
    assertEquals(readVerified(sha512, locate), CONTENT);
    const wrong = { ...right, digest: parseDigest(WRONG_DIGEST) };
    await refuses(
      () => readVerified(wrong, locate),
      "digest-mismatch",
      `Cannot verify ${WRONG_DIGEST}: digest is "${right.digest}"`,
    );
    await refuses(
      () => readVerified({ ...right, size: 8 }, locate),
      "size-mismatch",
      "it has 7 bytes, its descriptor says 8",
    );
  });
});

Deno.test("nothing is read for a digest that cannot be verified, nor beyond the cap", async () => {
  const blake3 = descriptorOf(CONTENT, { digest: parseDigest(`blake3:${"0".repeat(64)}`) });
  await refuses(() => readVerified(blake3, unlocatable), "unsupported", '"blake3"');
  const large = descriptorOf(CONTENT, { size: MAX_DOCUMENT_BYTES + 1 });
  await refuses(() => readVerified(large, unlocatable), "image-invalid", "it has 8388609 bytes");
  const location = { path: "/nonexistent", offset: 0, length: MAX_DOCUMENT_BYTES + 1 };
  await refuses(() => readDocument(location, "index.json"), "image-invalid", "index.json");
});

Deno.test("embedded data is used when it is the content, and an error when it is not", async () => {
  assertEquals(readVerified(descriptorOf(CONTENT, { data: CONTENT }), unlocatable), CONTENT);
  const other = new TextEncoder().encode('{"a":2}');
  await refuses(
    () => readVerified(descriptorOf(CONTENT, { data: other }), unlocatable),
    "digest-mismatch",
    "the data embedded for sha256:",
  );
  await refuses(
    () => readVerified(descriptorOf(CONTENT, { data: CONTENT.subarray(1) }), unlocatable),
    "size-mismatch",
    "the data embedded for sha256:",
  );
});
