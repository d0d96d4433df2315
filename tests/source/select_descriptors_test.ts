import { assertEquals } from "@std/assert";
import { type Descriptor, REF_NAME } from "../../src/oci/descriptor.ts";
import { OCI_INDEX } from "../../src/oci/media_type.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import type { LayoutReference } from "../../src/oci/reference.ts";
import { listImages, selectDescriptors } from "../../src/source/select_descriptors.ts";
import { descriptorOf, refuses } from "./scratch.ts";

const WANTED: LayoutReference = { transport: "oci", path: "dir" };

/** An entry with content of its own. */
function entry(content: string, tag?: string, more: Partial<Descriptor> = {}): Descriptor {
  const bytes = new TextEncoder().encode(content);
  const annotations = tag === undefined ? {} : { annotations: { [REF_NAME]: tag } };
  return descriptorOf(bytes, { ...annotations, ...more });
}

Deno.test("the only image needs no tag", () => {
  const one = entry("a", "v1");
  assertEquals(selectDescriptors([one], WANTED), [one]);
  const untagged = entry("a");
  assertEquals(selectDescriptors([untagged], WANTED), [untagged]);
});

Deno.test("a tag chooses; two entries of one tag are left for the platform to choose", () => {
  const amd64 = entry("a", "v1", { platform: parsePlatform("linux/amd64") });
  const arm64 = entry("b", "v1", { platform: parsePlatform("linux/arm64") });
  const other = entry("c", "v2");
  const all = [amd64, other, arm64];
  assertEquals(selectDescriptors(all, { ...WANTED, tag: "v1" }), [amd64, arm64]);
  assertEquals(selectDescriptors(all, { ...WANTED, tag: "v2" }), [other]);
  assertEquals(selectDescriptors([amd64, arm64], WANTED), [amd64, arm64]);
});

Deno.test("a digest chooses, and equal entries are one", () => {
  const one = entry("a", "v1");
  const same = entry("a", "v2");
  assertEquals(
    selectDescriptors([entry("b"), one, same], { ...WANTED, digest: one.digest }),
    [one],
  );
});

Deno.test("several tags without one asked for: all are listed", async () => {
  const images = [entry("a", "v1"), entry("b", "v2"), entry("c")];
  await refuses(
    () => selectDescriptors(images, WANTED),
    "conflict",
    'Cannot choose an image in "dir": there is "v1", "v2", sha256:',
    "oci:dir:TAG",
    "oci:dir@DIGEST",
  );
  await refuses(
    () => selectDescriptors(images, { ...WANTED, transport: "oci-archive" }),
    "conflict",
    "oci-archive:dir:TAG",
  );
});

Deno.test("what is not there: the images that are, with their platforms", async () => {
  const images = [entry("a", "v1", { platform: parsePlatform("linux/arm/v6") }), entry("b", "w")];
  await refuses(
    () => selectDescriptors(images, { ...WANTED, tag: "v3" }),
    "not-found",
    'Cannot find tag "v3" in "dir": there is "v1" (linux/arm/v6), "w"',
  );
  await refuses(
    () => selectDescriptors(images, { ...WANTED, digest: entry("x").digest }),
    "not-found",
    "Cannot find sha256:",
  );
  await refuses(() => selectDescriptors([], WANTED), "not-found", "there is no image");
});

Deno.test("entries of unknown types are no images, and no error", async () => {
  const image = entry("a", "v1");
  const unknown = entry("b", "v2", { mediaType: "application/vnd.example+json" });
  assertEquals(selectDescriptors([unknown, image], WANTED), [image]);
  const index = entry("c", "v2", { mediaType: OCI_INDEX });
  assertEquals(selectDescriptors([unknown, index], WANTED), [index]);
  await refuses(
    () => selectDescriptors([unknown], { ...WANTED, tag: "v2" }),
    "not-found",
    "there is no image",
  );
});

Deno.test("a tag is compared as a whole, and case counts", async () => {
  for (const tag of ["v", "V1", "v1 ", "v10"]) {
    await refuses(() => selectDescriptors([entry("a", "v1")], { ...WANTED, tag }), "not-found");
  }
});

Deno.test("a long list ends, and what a tag contains cannot move the cursor", () => {
  const many = [...Array(50).keys()].map((i) => entry(`${i}`, `v${i}`));
  assertEquals(listImages(many).endsWith('"v19" and 30 more'), true);
  assertEquals(listImages([entry("a", "x\u001b[2J")]), '"x\\u001b[2J"');
});
