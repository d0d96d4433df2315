/**
 * Images in and out, with skopeo, podman, buildah and a real registry on the other side: what they
 * write we read, the reverse, and blobs stay what they are.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { imageLayout, type ImageSpec, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { addBlob, addDocument, blobsIn, manyLayout, writeIndex } from "../transfer/harness.ts";
import { Layerfs, must, type Outcome, outcome, run, start, Work } from "./harness.ts";
import { type RegistryServer, startRegistry } from "./registry_server.ts";

const OCI = "application/vnd.oci.image";

/** An image that every tool here takes, of two layers. */
const IMAGE: ImageSpec = {
  layers: [
    { tar: tarball([file("etc/one", "one")]), compression: "gzip" },
    { tar: tarball([file("etc/two", "two".repeat(10_000))]), compression: "gzip" },
  ],
};

/** layerfs, with a home of its own so that no credentials of this machine come into play. */
class Tool {
  readonly #layerfs: Layerfs;
  readonly env: Record<string, string>;

  private constructor(layerfs: Layerfs, home: string) {
    this.#layerfs = layerfs;
    this.env = { HOME: home, XDG_RUNTIME_DIR: "", REGISTRY_AUTH_FILE: "", DOCKER_CONFIG: "" };
  }

  static async inside(work: Work): Promise<Tool> {
    await Deno.mkdir(work.path("home"));
    return new Tool(await Layerfs.inside(work), work.path("home"));
  }

  get store(): string {
    return this.#layerfs.store;
  }

  argv(args: readonly string[]): string[] {
    return this.#layerfs.argv(["--json", ...args]);
  }

  run(...args: string[]): Promise<Outcome> {
    return run(this.argv(args), { env: this.env });
  }

  /** Runs a command that must succeed, and returns its document. */
  async json(...args: string[]): Promise<Json> {
    return JSON.parse(await must(this.argv(args), { env: this.env }));
  }

  /** Runs a command that must fail, and returns its error. */
  async error(status: number, ...args: string[]): Promise<Json> {
    const { code, stdout, stderr } = await this.run(...args);
    assertEquals(code, status, stdout + stderr);
    return JSON.parse(stdout).error;
  }
}

const skopeo = (...args: string[]) => must(["skopeo", "--insecure-policy", ...args]);

/** The manifest's bytes as skopeo reads them, and their digest. */
async function rawDigest(reference: string, ...flags: string[]): Promise<string> {
  const raw = await skopeo("inspect", "--raw", ...flags, reference);
  return `sha256:${createHash("sha256").update(raw).digest("hex")}`;
}

Deno.test("round trips through every pair of formats, skopeo as the judge", async (t) => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const registry = await startRegistry(work);
  const plain = ["--tls-verify=false"];
  for (const family of ["oci", "docker"] as const) {
    const image = imageLayout(work.path(`image-${family}`), { ...IMAGE, family });
    const place = (kind: string, id: string): string => ({
      oci: `oci:${work.path(id)}:v1`,
      "oci-archive": `oci-archive:${work.path(id)}.tar:v1`,
      "docker-archive": `docker-archive:${work.path(id)}.tar:example.org/app:v1`,
      docker: `docker://${registry.host}/${id}:v1`,
      store: `${id}:v1`,
    }[kind] ?? "");
    const kinds = ["oci", "oci-archive", "docker-archive", "docker", "store"];
    for (const from of kinds) {
      const source = place(from, `${family}-${from}`);
      await tool.json("copy", ...plain, image.reference, source);
      for (const to of kinds) {
        await t.step(`${family}: ${from} to ${to}`, async () => {
          const target = place(to, `${family}-${from}-${to}`);
          const copied = await tool.json("copy", ...plain, source, target);
          const judged = to === "store" ? `oci:${tool.store}:${target}` : target;
          const flags = to === "docker" ? plain : [];
          // skopeo takes no schema2 in a layout; that its bytes are there is seen at the end.
          const isRefused = family === "docker" && from !== "docker-archive" &&
            ["oci", "oci-archive", "store"].includes(to);
          if (from === "docker-archive") {
            const config = await must(["skopeo", "inspect", "--config", "--raw", ...flags, judged]);
            const digest = createHash("sha256").update(config).digest("hex");
            assertEquals(`sha256:${digest}`, image.configDigest);
          } else {
            assertEquals(copied.digest, image.manifestDigest);
            if (to !== "docker-archive" && !isRefused) {
              assertEquals(await rawDigest(judged, ...flags), image.manifestDigest);
            }
          }
          const blobs = await tool.json("copy", ...plain, target, `oci:${work.path("end")}`);
          assertEquals((blobs.warnings as string[]).length, 0);
        });
      }
    }
    const digests = blobsIn(work.path("end"));
    for (const digest of [...image.layerDigests, image.configDigest, image.manifestDigest]) {
      assert(digests.includes(digest));
      const path = `${work.path("end")}/blobs/${digest.replace(":", "/")}`;
      await must(["cmp", path, `${image.dir}/blobs/${digest.replace(":", "/")}`]);
    }
    // Beside them is the manifest made for docker-archives, and nothing else. In OCI's types, it is
    // what the image has itself.
    assertEquals(digests.length, image.layerDigests.length + (family === "oci" ? 2 : 3));
    await must(["rm", "-rf", work.path("end")]);
  }
});

Deno.test("podman loads and buildah pulls our archives", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const storage = [
    "--root",
    work.path("containers"),
    "--runroot",
    work.path("run"),
    "--storage-driver=vfs",
  ];
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const layers = IMAGE.layers.map((layer) => ({ ...layer, compression }));
    const image = imageLayout(work.path(compression), { layers });
    for (const transport of ["docker-archive", "oci-archive"]) {
      const archive = work.path(`${compression}-${transport}.tar`);
      const name = transport === "docker-archive" ? `example.org/${compression}:1` : "v1";
      await tool.json("copy", image.reference, `${transport}:${archive}:${name}`);
      const id = image.configDigest.slice("sha256:".length);
      const loaded = await must(["podman", ...storage, "load", "--quiet", "--input", archive]);
      assertStringIncludes(loaded, name);
      const found = await must(["podman", ...storage, "images", "--no-trunc", "--quiet"]);
      assertStringIncludes(found, id, `${compression} ${transport}`);
      await must(["podman", ...storage, "rmi", "--all", "--force"]);
      const pulled = await must([
        "buildah",
        ...storage,
        "pull",
        "--quiet",
        `${transport}:${archive}`,
      ]);
      assertStringIncludes(pulled, id);
      await must(["buildah", ...storage, "rmi", "--all", "--force"]);
    }
  }
});

/** A registry, and the flags by which layerfs and skopeo reach it. */
interface Reach {
  server: RegistryServer;
  ours: string[];
  theirs: (side: "src" | "dest") => string[];
}

const USER = { name: "someone", password: "s3cret:with/colon" };

Deno.test("what others push we pull, and the reverse: plain, with TLS, with a password", async (t) => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const creds = `${USER.name}:${USER.password}`;
  for (const [tls, user] of [[false, false], [true, false], [false, true], [true, true]] as const) {
    const server = await startRegistry(work, { tls, ...(user ? { user: USER } : {}) });
    const certDir = server.certDir ?? "";
    const reach: Reach = {
      server,
      ours: [
        tls ? `--cert-dir=${certDir}` : "--tls-verify=false",
        ...(user ? [`--creds=${creds}`] : []),
      ],
      theirs: (side) => [
        tls ? `--${side}-cert-dir=${certDir}` : `--${side}-tls-verify=false`,
        ...(user ? [`--${side}-creds=${creds}`] : []),
      ],
    };
    await t.step(
      `TLS: ${tls}, password: ${user}`,
      () => exchange(work, tool, reach, `${tls}-${user}`),
    );
  }
});

async function exchange(work: Work, tool: Tool, reach: Reach, id: string): Promise<void> {
  const { server: { host }, ours, theirs } = reach;
  const image = imageLayout(work.path(`image-${id}`), IMAGE);
  await skopeo("copy", ...theirs("dest"), image.reference, `docker://${host}/theirs:1`);
  const pulled = await tool.json("pull", ...ours, `${host}/theirs:1`, "--as", `x:${id}`);
  assertEquals([pulled.digest, pulled.configDigest], [image.manifestDigest, image.configDigest]);
  for (const digest of blobsIn(image.dir)) {
    const path = digest.replace(":", "/");
    await must(["cmp", `${tool.store}/blobs/${path}`, `${image.dir}/blobs/${path}`]);
  }
  const again = await tool.json("pull", ...ours, `${host}/theirs:1`, "--as", `x:${id}`);
  assertEquals((again.copied as Json).blobs, 0);
  // Pushed by name, with no transport, as podman has it.
  const pushed = await tool.json("push", ...ours, `x:${id}`, `${host}/ours/app:2`);
  assertEquals([pushed.digest, (pushed.copied as Json).blobs], [image.manifestDigest, 4]);
  await skopeo(
    "copy",
    ...theirs("src"),
    `docker://${host}/ours/app:2`,
    `dir:${work.path(`dir-${id}`)}`,
  );
  await must([
    "cmp",
    `${work.path(`dir-${id}`)}/manifest.json`,
    blob(image.dir, image.manifestDigest),
  ]);
  // Of the same registry, blobs are mounted.
  const from = `docker://${host}/ours/app:2`;
  const mounted = await tool.json("copy", ...ours, from, `docker://${host}/mounted:1`);
  assertEquals([(mounted.copied as Json).blobs, (mounted.reused as Json).blobs], [1, 3]);
  const inspected = await tool.json(
    "inspect",
    ...ours,
    `docker://${host}/mounted@${image.manifestDigest}`,
  );
  assertEquals([inspected.digest, inspected.referrers], [image.manifestDigest, []]);
  const { valid } = await tool.json("validate", ...ours, from);
  assertEquals(valid, true);
  const missing = await tool.error(4, "pull", ...ours, `${host}/nothing:1`);
  assertEquals([missing.code, missing.registry, missing.repository], [
    "not-found",
    host,
    "nothing",
  ]);
  const storage = ["--root", work.path("c"), "--runroot", work.path("r"), "--storage-driver=vfs"];
  const flags = ours.map((flag) => flag.replace("--cert-dir=", "--cert-dir="));
  const buildah = await must(["buildah", ...storage, "pull", "--quiet", ...flags, from]);
  assertStringIncludes(buildah, image.configDigest.slice("sha256:".length));
  await must([
    "buildah",
    ...storage,
    "push",
    "--quiet",
    ...flags,
    buildah.trim(),
    `docker://${host}/back:1`,
  ]);
  const back = await tool.json("pull", ...ours, `${host}/back:1`, "--as", `back:${id}`);
  assertEquals(back.layers, 2);
  await must(["buildah", ...storage, "rmi", "--all", "--force"]);
}

const blob = (dir: string, digest: string) => `${dir}/blobs/${digest.replace(":", "/")}`;

Deno.test("indexes, artifacts and sha512 go to a registry and come back", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host } = await startRegistry(work);
  const plain = "--tls-verify=false";
  const many = manyLayout(work.path("many"));
  const artifact = addDocument(many.dir, {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    artifactType: "application/vnd.example.signature",
    config: addBlob(many.dir, new TextEncoder().encode("{}"), "application/vnd.oci.empty.v1+json"),
    layers: [addBlob(many.dir, new TextEncoder().encode("signed"), "application/vnd.example.data")],
    subject: many.manifests[0],
  }, `${OCI}.manifest.v1+json`);
  const nested = addDocument(many.dir, {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [many.index, artifact],
  }, `${OCI}.index.v1+json`);
  writeIndex(many.dir, [nested]);
  const pushed = await tool.json(
    "copy",
    "--all",
    plain,
    `oci:${many.dir}`,
    `docker://${host}/many:1`,
  );
  assertEquals(pushed.digest, nested.digest);
  // Distribution 2.8 lists no referrers, which is said.
  assertStringIncludes(JSON.stringify(pushed.warnings), "found by its digest");
  await tool.json("copy", "--all", plain, `docker://${host}/many:1`, `oci:${work.path("back")}:1`);
  assertEquals(blobsIn(work.path("back")), blobsIn(many.dir));
  const arm = await tool.json(
    "pull",
    plain,
    "--platform=linux/arm64",
    `${host}/many:1`,
    "--as=arm",
  );
  assertEquals(arm.digest, many.manifests[1]!.digest);
  const all = await tool.json("pull", "--all", plain, `${host}/many:1`, "--as=all");
  assertEquals([all.digest, all.configDigest, all.platform], [nested.digest, null, null]);
  const listed = await tool.json("images");
  assert((listed as unknown as Json[]).some(({ name }) => name === "all"));
  const alone = await tool.json(
    ...["copy", plain, `docker://${host}/many@${artifact.digest}`, `oci:${work.path("alone")}:a`],
  );
  assertEquals([alone.digest, (alone.copied as Json).blobs], [artifact.digest, 3]);
});

Deno.test("docker's lists come and go as they are", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host } = await startRegistry(work);
  const plain = "--tls-verify=false";
  const image = imageLayout(work.path("image"), { ...IMAGE, family: "docker" });
  const { manifests } = JSON.parse(await Deno.readTextFile(`${image.dir}/index.json`));
  const list = addDocument(image.dir, {
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifests,
  }, "application/vnd.docker.distribution.manifest.list.v2+json");
  writeIndex(image.dir, [list]);
  await tool.json("copy", "--all", plain, image.reference, `docker://${host}/list:1`);
  assertEquals(await rawDigest(`docker://${host}/list:1`, plain), list.digest);
  await skopeo(
    "copy",
    "--all",
    "--src-tls-verify=false",
    `docker://${host}/list:1`,
    `dir:${work.path("d")}`,
  );
  const back = await tool.json(
    "copy",
    "--all",
    plain,
    `docker://${host}/list:1`,
    `oci:${work.path("b")}:1`,
  );
  assertEquals(back.digest, list.digest);
  assertEquals(blobsIn(work.path("b")), blobsIn(image.dir));
});

Deno.test("a delta is pushed to where the rest is, and says elsewhere what it needs", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host } = await startRegistry(work);
  const plain = "--tls-verify=false";
  const old = imageLayout(work.path("old"), IMAGE);
  const top = { tar: tarball([file("etc/three", "three")]), compression: "zstd" as const };
  const next = imageLayout(work.path("next"), { layers: [...IMAGE.layers, top] });
  await tool.json("copy", plain, old.reference, `docker://${host}/app:1`);
  const delta = `oci-archive:${work.path("delta.tar")}:2`;
  const base = `--layers-missing-from=docker://${host}/app:1`;
  const made = await tool.json("copy", plain, base, next.reference, delta);
  assertEquals((made.leftOut as Json).layers, 2);
  const error = await tool.error(3, "copy", plain, delta, `docker://${host}/elsewhere:2`);
  const needs = `docker://${host}/app:1@${old.manifestDigest}`;
  assertStringIncludes(String(error.message), needs);
  const pushed = await tool.json("copy", plain, delta, `docker://${host}/app:2`);
  assertEquals([pushed.digest, (pushed.reused as Json).blobs], [next.manifestDigest, 2]);
  await skopeo(
    "copy",
    "--src-tls-verify=false",
    `docker://${host}/app:2`,
    `dir:${work.path("dir")}`,
  );
});

Deno.test("login keeps credentials at 0600 for skopeo too, and logout takes them away", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host, certDir } = await startRegistry(work, { tls: true, user: USER });
  const image = imageLayout(work.path("image"), IMAGE);
  const flags = [`--cert-dir=${certDir}`, `--authfile=${work.path("auth.json")}`];
  const to = `docker://${host}/app:1`;
  const refused = await tool.error(6, "copy", ...flags.slice(0, 1), image.reference, to);
  assertStringIncludes(String(refused.message), "layerfs login");
  const login = async (password: string) => {
    const argv = tool.argv(["login", ...flags, "--username", USER.name, "--password-stdin", host]);
    const command = 'secret=$1; shift; printf "%s\\n" "$secret" | "$@"';
    return await outcome(
      start(["sh", "-c", command, "login", password, ...argv], { env: tool.env }),
    );
  };
  const wrong = await login("not-the-password");
  assertEquals(wrong.code, 6, wrong.stdout);
  assert(!`${wrong.stdout}${wrong.stderr}`.includes("not-the-password"));
  const right = await login(USER.password);
  assertEquals(right.code, 0, right.stdout + right.stderr);
  assert(!`${right.stdout}${right.stderr}`.includes(USER.password));
  const mode = (await Deno.stat(work.path("auth.json"))).mode ?? 0;
  assertEquals(mode & 0o777, 0o600);
  const pushed = await tool.json("copy", ...flags, image.reference, to);
  assertEquals(pushed.digest, image.manifestDigest);
  const read = ["inspect", `--authfile=${work.path("auth.json")}`, `--cert-dir=${certDir}`, to];
  assertEquals(JSON.parse(await skopeo(...read)).Digest, image.manifestDigest);
  const out = await tool.json("logout", flags[1]!, host);
  assertEquals([out.removed, out.remains], [[work.path("auth.json")], false]);
  assert(!(await Deno.readTextFile(work.path("auth.json"))).includes(host));
  assertEquals(
    (await tool.error(6, "copy", ...flags, to, `oci:${work.path("x")}:1`)).code,
    "unauthorized",
  );
});

Deno.test("the fallback stands in where a registry has nothing or is not there, not for bad images", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const server = await startRegistry(work);
  const { host } = server;
  await Deno.mkdir(work.path("tree"));
  const fallback = ["create", "--tls-verify=false", `--fallback=${work.path("tree")}`];
  const absent = await tool.json(...fallback, `docker://${host}/nothing:1`, "/bin/true");
  assertEquals(absent.source, "fallback");
  const nowhere = await tool.json(...fallback, "docker://127.0.0.1:1/x:1", "/bin/true");
  assertEquals(nowhere.source, "fallback");
  const image = imageLayout(work.path("image"), IMAGE);
  await tool.json("copy", "--tls-verify=false", image.reference, `docker://${host}/bad:1`);
  // The registry's own disk: it does not look at what it sends.
  const hex = image.configDigest.slice("sha256:".length);
  const data = `${server.root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  const bytes = await Deno.readFile(data);
  bytes[5]! ^= 1;
  await Deno.writeFile(data, bytes);
  const error = await tool.error(3, ...fallback, `docker://${host}/bad:1`);
  assertEquals(error.code, "digest-mismatch");
});

Deno.test("a pull that is killed leaves no tag and no half blob, and the next goes on from there", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host } = await startRegistry(work);
  const random = new Uint8Array(48 * 1024 * 1024);
  for (let at = 0; at < random.length; at += 65536) {
    crypto.getRandomValues(random.subarray(at, at + 65536));
  }
  const layers = [0, 1, 2, 3, 4, 5].map((i) => ({
    tar: tarball([file(`f${i}`, random.subarray(i * 8 * 1024 * 1024, (i + 1) * 8 * 1024 * 1024))]),
  }));
  const image = imageLayout(work.path("image"), { layers });
  // Not by skopeo, which would compress the layers.
  await tool.json("copy", "--tls-verify=false", image.reference, `docker://${host}/big:1`);
  const argv = tool.argv(["pull", "--tls-verify=false", `${host}/big:1`, "--as=big"]);
  let whole = 0;
  for (let round = 0; round < 6; round++) {
    const child = start(argv, { env: tool.env });
    const output = child.output();
    await new Promise((resolve) => setTimeout(resolve, 400 + round * 60));
    try {
      child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it was faster
    }
    if ((await output).success) break;
    for (const digest of blobsIn(tool.store)) {
      const sum = await must(["sha256sum", blob(tool.store, digest)]);
      assertEquals(sum.split(" ")[0], digest.slice("sha256:".length));
    }
    whole = Math.max(whole, blobsIn(tool.store).length);
  }
  const pulled = await tool.json("pull", "--tls-verify=false", `${host}/big:1`, "--as=big");
  assertEquals(pulled.digest, image.manifestDigest);
  const { reused } = pulled as { reused: Json };
  assert(Number(reused.blobs) >= whole);
  await skopeo("inspect", `oci:${tool.store}:big:latest`);
  assertEquals((await tool.json("gc")).staging, []);
});

Deno.test("several processes that want one image fetch each blob once", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  const { host } = await startRegistry(work);
  const image = imageLayout(work.path("image"), IMAGE);
  await skopeo("copy", "--dest-tls-verify=false", image.reference, `docker://${host}/app:1`);
  const pull = (i: number) =>
    tool.json("pull", "--tls-verify=false", `${host}/app:1`, `--as=app:${i}`);
  const pulled = await Promise.all([1, 2, 3].map(pull));
  const copied = pulled.map(({ copied }) => Number((copied as Json).blobs));
  // The manifest is in memory by then: each may write it.
  assert(copied.reduce((sum, count) => sum + count, 0) <= 4 + 2, `${copied}`);
  assertMatch(await skopeo("inspect", `oci:${tool.store}:app:2`), /sha256/);
});
