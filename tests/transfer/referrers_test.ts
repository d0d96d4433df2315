/** What refers to an image in a registry: how it is listed there, and found. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inspectImage } from "../../src/container/inspect.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media_type.ts";
import { validateImage } from "../../src/validate/validate.ts";
import { imageLayout } from "../fixtures/image.ts";
import { failure, FaultyRegistry } from "../registry/faulty_registry.ts";
import { withDirectory } from "../source/scratch.ts";
import { addBlob, addDocument, copy, LAYERS, writeIndex } from "./harness.ts";
import { access, nameByDigest, pushed } from "./registry_images.ts";

/** An image of which a signature and an index of more refer to the manifest, in a layout. */
function signedLayout(dir: string) {
  const image = imageLayout(dir, { layers: LAYERS });
  const [subject = {}] = JSON.parse(Deno.readTextFileSync(`${dir}/index.json`)).manifests;
  const config = addBlob(dir, new TextEncoder().encode("{}"), "application/vnd.example.config");
  const annotations = { "com.example.who": "me" };
  const signature = addDocument(
    dir,
    { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], subject, annotations },
    OCI_MANIFEST,
  );
  const more = addDocument(
    dir,
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [signature], subject },
    OCI_INDEX,
  );
  const all = addDocument(dir, { schemaVersion: 2, manifests: [subject, more] }, OCI_INDEX);
  writeIndex(dir, [all]);
  const artifactType = "application/vnd.example.config";
  return { image, referrers: [{ ...signature, artifactType, annotations }, more] };
}

Deno.test("a registry that lists no referrers gets an index of them under a tag", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const { image, referrers } = signedLayout(`${dir}/signed`);
    const to = `docker://${registry.host}/team/app:1`;
    const push = () => copy(image.reference, to, { all: true, ...access(registry) });
    for (let times = 1; times <= 2; times++) {
      assertEquals((await push()).warnings, []);
      const tagged = registry.manifests.get(image.manifestDigest.replace(":", "-"));
      assertEquals(JSON.parse(new TextDecoder().decode(tagged?.bytes)).manifests, referrers);
    }
    // Where the tag means something else, the image is there all the same.
    registry.manifest(image.manifestDigest.replace(":", "-"), '{"schemaVersion":2,"layers":[]}');
    const { warnings } = await push();
    assertEquals(warnings.length, 2);
    assertStringIncludes(warnings[0]!, `${referrers[0]!.digest} is there`);
  }));

Deno.test("a registry that lists referrers itself is left to do so", () =>
  withDirectory(async (dir) => {
    const headers = { "oci-subject": "sha256:..." };
    await using registry = new FaultyRegistry(({ method, target }) =>
      method === "PUT" && target.includes("/manifests/")
        ? new Response(null, { status: 201, headers })
        : undefined
    );
    const { image } = signedLayout(`${dir}/signed`);
    const to = `docker://${registry.host}/team/app:1`;
    await copy(image.reference, to, { all: true, ...access(registry) });
    assertEquals(registry.log.filter((line) => line.includes("/manifests/sha256-")), []);
  }));

Deno.test("inspect lists what refers to an image, and validate looks at all of it", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const { image, name } = await pushed(registry, dir);
    const signature = registry.blob(new TextEncoder().encode("signature"));
    const referrers = JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ ...signature, mediaType: "application/vnd.oci.image.manifest.v1+json" }],
    });
    registry.handler = ({ target }) =>
      target.startsWith(`/v2/team/app/referrers/${image.manifestDigest}`)
        ? new Response(referrers, {
          headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
        })
        : undefined;
    const details = await inspectImage(`docker://${name}`, {
      platform: "linux/amd64",
      ...access(registry),
    });
    assertEquals(details.referrers?.map(({ digest }) => digest), [signature.digest]);
    assert(!("configBytes" in details));
    const { valid, points } = await validateImage(`docker://${name}`, "native", access(registry));
    assert(valid);
    assertEquals(points.find(({ id }) => id === 62)?.outcome, "pass");
  }));

Deno.test("inspect lists what refers to the index, and to the manifest, each once", () =>
  withDirectory(async (dir) => {
    await using registry = new FaultyRegistry();
    const image = imageLayout(`${dir}/image`, { layers: LAYERS });
    const { manifests } = JSON.parse(Deno.readTextFileSync(`${dir}/image/index.json`));
    const index = addDocument(image.dir, { schemaVersion: 2, manifests }, OCI_INDEX);
    writeIndex(image.dir, [index]);
    const name = `docker://${registry.host}/team/app:1`;
    await copy(image.reference, name, { all: true, ...access(registry) });
    nameByDigest(registry);
    const [one, two, three] = ["1", "2", "3"].map((digit) => ({
      mediaType: OCI_MANIFEST,
      digest: `sha256:${digit.repeat(64)}`,
      size: 7,
    }));
    const lists = new Map([
      [`/v2/team/app/referrers/${index.digest}`, [one, two]],
      [`/v2/team/app/referrers/${image.manifestDigest}`, [two, three]],
    ]);
    let refusal = (_: string): Response | undefined => undefined;
    registry.handler = ({ target }) => {
      const list = lists.get(target);
      return list === undefined
        ? undefined
        : refusal(target) ?? Response.json({ schemaVersion: 2, manifests: list });
    };
    const inspect = () => inspectImage(name, { platform: "linux/amd64", ...access(registry) });
    const digests = async () => (await inspect()).referrers?.map(({ digest }) => digest as string);
    assertEquals(await digests(), [one, two, three].map((descriptor) => descriptor?.digest));
    assertEquals("warnings" in await inspect(), false);
    // The tag is asked for once: it could come to mean something else.
    assertEquals(registry.log.filter((line) => line.endsWith("/manifests/1")).length, 2);
    for (const status of [400, 401, 403, 405, 406, 503]) {
      // 503: to come back later than anybody waits.
      const headers = { "retry-after": "3600" };
      refusal = () => failure(status, "NO", "not here", headers);
      const { referrers, warnings, digest } = await inspect();
      assertEquals([referrers, digest as string], [[], image.manifestDigest]);
      assertStringIncludes(warnings![0]!, `${status}: NO: not here`);
    }
    refusal = (target) =>
      target.endsWith(image.manifestDigest) ? failure(400, "NO", "x") : undefined;
    assertEquals((await digests())?.length, 2);
  }));
