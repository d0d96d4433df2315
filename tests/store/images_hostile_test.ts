import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { resolveImage } from "../../src/source/image.ts";
import { blobPath, type BuiltImage } from "../fixtures/image.ts";
import { refuses } from "../source/scratch.ts";
import {
  addImage,
  addIndex,
  AMD64,
  readIndex,
  tagsIn,
  withStore,
  writeIndex,
} from "./image_fixture.ts";

Deno.test("a damaged image is a problem, and hides no other", async () => {
  await withStore(async (store, dir) => {
    const damages: [string, (image: BuiltImage) => string, (path: string) => void, number][] = [
      ["no-manifest", (image) => image.manifestDigest, (path) => Deno.removeSync(path), 0],
      ["no-config", (image) => image.configDigest, (path) => Deno.removeSync(path), 0],
      ["bad-config", (image) => image.configDigest, flip, 0],
      ["bad-manifest", (image) => image.manifestDigest, flip, 0],
      ["no-layer", (image) => image.layerDigests[1]!, (path) => Deno.removeSync(path), 1],
      ["short-layer", (image) => image.layerDigests[1]!, (path) => Deno.truncateSync(path, 3), 1],
    ];
    const healthy = addImage(dir, "healthy");
    const images = damages.map(([name]) => addImage(dir, name));
    for (const [i, [name]] of damages.entries()) await store.tag(images[i]!.entry, name);
    await store.tag(healthy.entry, "healthy");
    for (const [i, [, digest, damage]] of damages.entries()) {
      damage(blobPath(dir, digest(images[i]!)));
    }
    const { images: found, problems } = await store.list();
    const expected = damages.filter(([, , , visible]) => visible === 1).map(([name]) => name);
    assertEquals(found.map(({ name }) => name), [...expected, "healthy"]);
    const told = (list: typeof problems) => list.map(({ tag, digest }) => `${tag} ${digest}`);
    const wanted = damages.map(([name, digest], i) => `${name}:latest ${digest(images[i]!)}`);
    assertEquals(told(problems), wanted);
    const roots = await store.roots();
    assertEquals(told(roots.problems), wanted);
    assertEquals(roots.complete, false);
    // What can be told of a damaged image is kept.
    assert(roots.blobs.has(parseDigest(images[1]!.layerDigests[1]!)));
    assert(roots.blobs.has(parseDigest(images[4]!.layerDigests[1]!)));
  });
});

function flip(path: string): void {
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  Deno.writeFileSync(path, bytes);
}

Deno.test("a missing layer leaves the roots complete; a config does not, until its image goes", async () => {
  await withStore(async (store, dir) => {
    const [a, b] = [addImage(dir, "a"), addImage(dir, "b")];
    await store.tag(a.entry, "a");
    writeIndex(dir, { ...readIndex(dir), manifests: [...readIndex(dir).manifests, b.entry] });
    Deno.removeSync(blobPath(dir, a.layerDigests[1]!));
    const { problems, complete, chainIds } = await store.roots();
    assertEquals([problems.length, complete, chainIds.size], [1, true, 3]);
    Deno.removeSync(blobPath(dir, b.configDigest));
    assertEquals((await store.roots()).complete, false);
    assertEquals(await store.removeEntries(b.entry.digest), 1);
    assertEquals(await store.removeEntries(b.entry.digest), 0);
    assertEquals((await store.roots()).complete, true);
    assertEquals(tagsIn(dir), ["a:latest"]);
  });
});

Deno.test("indexes that nest too deep are a problem", async () => {
  await withStore(async (store, dir) => {
    let deep = addImage(dir, "a").entry;
    for (let i = 0; i < 12; i++) deep = addIndex(dir, [deep]);
    await store.tag(deep, "deep");
    const { images, problems } = await store.list();
    assertEquals([images.length, problems.length], [0, 1]);
    assertStringIncludes(problems[0]!.detail, "nested deeper");
    assertEquals((await store.roots()).complete, false);
  });
});

Deno.test("index.json that is no file, or no index, is refused and stays", async () => {
  const makers: [string, (path: string, dir: string) => void][] = [
    ["not a regular file", (path, dir) => {
      Deno.writeTextFileSync(`${dir}/victim`, '{"schemaVersion":2,"manifests":[]}');
      Deno.symlinkSync(`${dir}/victim`, path);
    }],
    ["not a regular file", (path) => {
      assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
    }],
    ["not a regular file", (path) => Deno.mkdirSync(path)],
    ["it is not JSON", (path) => Deno.writeTextFileSync(path, '{"schemaVersion":2,')],
    ["it is no image index", (path) => Deno.writeTextFileSync(path, "[]")],
    ["schemaVersion", (path) => Deno.writeTextFileSync(path, '{"manifests":[]}')],
    ["twice", (path) => Deno.writeTextFileSync(path, '{"manifests":[],"manifests":[]}')],
  ];
  for (const [message, make] of makers) {
    await withStore(async (store, dir) => {
      const { entry } = addImage(dir, "a");
      Deno.removeSync(`${dir}/index.json`);
      make(`${dir}/index.json`, dir);
      const before = Deno.lstatSync(`${dir}/index.json`).ino;
      await refuses(() => store.list(), "image-invalid", message);
      await refuses(() => store.roots(), "image-invalid", message);
      await refuses(() => store.find("a"), "image-invalid", message);
      await refuses(() => store.tag(entry, "a"), "image-invalid", message);
      await refuses(() => store.untag("a"), "image-invalid", message);
      assertEquals(Deno.lstatSync(`${dir}/index.json`).ino, before);
    });
  }
});

Deno.test("a file in the way of the new index.json is not written through", async () => {
  await withStore(async (store, dir) => {
    const { entry } = addImage(dir, "a");
    Deno.writeTextFileSync(`${dir}/victim`, "precious");
    Deno.symlinkSync(`${dir}/victim`, `${dir}/index.json.new`);
    await store.tag(entry, "a");
    assertEquals(Deno.readTextFileSync(`${dir}/victim`), "precious");
    assertEquals(tagsIn(dir), ["a:latest"]);
  });
});

Deno.test("an index.json that would be too large to read again is not written", async () => {
  await withStore(async (store, dir) => {
    const { entry } = addImage(dir, "a");
    const index = { ...readIndex(dir), annotations: { big: "x".repeat(8 * 1024 * 1024 - 200) } };
    writeIndex(dir, index);
    await refuses(() => store.tag(entry, "a"), "unsupported", "more than");
    assertEquals(tagsIn(dir), []);
  });
});

Deno.test("of many tagging at once, in one process and in several, none is lost", async () => {
  await withStore(async (store, dir) => {
    const { entry } = addImage(dir, "a");
    const script = taggers(dir, entry);
    const processes = ["p", "q", "r"].map((name) => script(name, 10).output());
    const tasks = Array.from({ length: 10 }, (_, i) => store.tag(entry, `task${i}`));
    await Promise.all(tasks);
    for (const { success, stderr } of await Promise.all(processes)) {
      assert(success, new TextDecoder().decode(stderr));
    }
    const expected = [
      ...Array.from({ length: 10 }, (_, i) => `task${i}:latest`),
      ...["p", "q", "r"].flatMap((p) => Array.from({ length: 10 }, (_, i) => `${p}${i}:latest`)),
    ];
    assertEquals(tagsIn(dir).sort(), expected.sort());
  });
});

Deno.test("whoever reads while others tag finds a whole index.json", async () => {
  await withStore(async (store, dir) => {
    const { entry, manifestDigest } = addImage(dir, "a");
    await store.tag(entry, "first");
    const child = taggers(dir, entry)("busy", 100_000);
    await child.stdout.getReader().read();
    for (let i = 0; i < 600; i++) {
      assertEquals(store.find("first").length, 1);
      const { digest } = await resolveImage("first", AMD64, { store: dir });
      assertEquals(digest as string, manifestDigest);
    }
    child.kill("SIGKILL");
    await Promise.all([child.stderr.cancel(), child.status]);
    assert(tagsIn(dir).length > 2);
  });
});

Deno.test("kill -9 leaves a whole index.json with every tag that was there", async () => {
  await withStore(async (store, dir) => {
    const { entry } = addImage(dir, "a");
    const script = taggers(dir, entry);
    for (let round = 0; round < 4; round++) {
      const child = script(`k${round}-`, 100_000);
      const told: string[] = [];
      const reading = (async () => {
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          told.push(text);
          if (told.length === 5 + round) child.kill("SIGKILL");
        }
      })();
      await Promise.all([reading, child.stderr.cancel(), child.status]);
      const done = told.join("").split("\n").slice(0, -1);
      assert(done.length > 0);
      const present = new Set(tagsIn(dir));
      assertEquals(done.filter((tag) => !present.has(tag)), []);
      assertEquals((await store.list()).problems, []);
      await store.tag(entry, `after${round}`);
    }
  });
});

/** Starts processes that tag `entry` as NAME0 to NAME49, over and over, and print each tag once it is there. */
function taggers(dir: string, entry: Descriptor) {
  const module = new URL("../../src/store/images.ts", import.meta.url).href;
  Deno.writeTextFileSync(
    `${dir}.ts`,
    `import { ImageStore } from ${JSON.stringify(module)};
     const [dir, entry, name, count] = Deno.args;
     const store = new ImageStore(dir);
     for (let i = 0; i < Number(count); i++) {
       console.log(await store.tag(JSON.parse(entry), name + i % 50));
     }`,
  );
  const config = new URL("../../deno.json", import.meta.url).pathname;
  return (name: string, count: number) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", `--config=${config}`, "--allow-read", "--allow-write"],
        ...[`${dir}.ts`, dir, JSON.stringify(entry), name, String(count)],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
}
