/** What may go wrong between a store and a registry, with a real registry. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { kill } from "../fixtures/child.ts";
import { imageLayout, type Json } from "../fixtures/image.ts";
import { file, tarball } from "../fixtures/tar.ts";
import { blobsIn } from "../transfer/harness.ts";
import { must, outcome, start, Work } from "./harness.ts";
import { RegistryServer } from "./registry_server.ts";
import { blob, IMAGE, skopeo, Tool, USER } from "./transfer_tool.ts";

Deno.test("a delta is pushed to where the rest is, and says elsewhere what it needs", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start();
  const { host } = server;
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

Deno.test("what a registry has in another repository is mounted, not sent again", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start();
  const { host } = server;
  const plain = "--tls-verify=false";
  const image = imageLayout(work.path("image"), IMAGE);
  await tool.json("copy", plain, image.reference, `docker://${host}/base/one:1`);
  await tool.json("pull", plain, `${host}/base/one:1`);
  const pushed = await tool.json("push", plain, `${host}/base/one:1`, `${host}/team/two:1`);
  // The manifest has no other way to get there.
  assertEquals([(pushed.copied as Json).blobs, (pushed.reused as Json).blobs], [1, 3]);
  const read = ["copy", "--src-tls-verify=false", `docker://${host}/team/two:1`];
  await skopeo(...read, `dir:${work.path("dir")}`);
});

Deno.test("login keeps credentials at 0600 for skopeo too, and logout takes them away", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start({ tls: true, user: USER });
  const { host, certificates: certDir } = server;
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
  await using server = await RegistryServer.start();
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
  const data = server.blobPath(image.configDigest);
  const bytes = await Deno.readFile(data);
  bytes[5]! ^= 1;
  await Deno.writeFile(data, bytes);
  const error = await tool.error(3, ...fallback, `docker://${host}/bad:1`);
  assertEquals(error.code, "digest-mismatch");
});

Deno.test("a pull that is killed leaves no tag and no half blob, and the next goes on from there", async () => {
  await using work = await Work.create();
  const tool = await Tool.inside(work);
  await using server = await RegistryServer.start();
  const { host } = server;
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
    kill(child);
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
  await using server = await RegistryServer.start();
  const { host } = server;
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
