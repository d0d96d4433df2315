/** A store's directory that was copied or moved: whose the datasets are. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { bash } from "../store/contract_compare.ts";
import { Ground, refusal } from "./ground.ts";
import { callsOf, datasets, isZfsFuse, property, zfs } from "./harness.ts";

/** The calls of `zfs` by which a container is made where its layers are there, but for the last one. */
async function callsBefore(ground: Ground, image: string, id: string): Promise<string[]> {
  const calls = await callsOf(ground.dataset, () => ground.create(image, id));
  const verbs = calls.map(([verb]) => verb ?? "");
  const last = await isZfsFuse() ? ["clone"] : ["clone", "mount"];
  assertEquals(verbs.slice(-last.length), last);
  return verbs.slice(0, -last.length);
}

function settingsOf(store: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(`${store}/store.json`));
}

Deno.test("a copy of a store makes nothing in the datasets of the original", async () => {
  await using ground = new Ground();
  const image = await ground.image(await ground.tree("echo content > f"));
  await ground.create(image, "web");
  const { store } = ground.work;
  const copy = `${ground.path}/copy`;
  // Without the root filesystem that is mounted in it.
  await bash(ground.path, `cp -ax "${store}" "${copy}"`);
  const before = await datasets(ground.dataset);
  for (
    const [id, settings] of [["a", settingsOf(copy)], ["b", {
      ...settingsOf(copy),
      path: undefined,
    }]] as const
  ) {
    await Deno.writeTextFile(`${copy}/store.json`, JSON.stringify(settings));
    const error = await refusal(() => ground.create(image, id, { store: copy }));
    assertEquals(error.code, "conflict");
    assertStringIncludes(error.message, `belongs to the store at "${store}"`);
    assertEquals(await datasets(ground.dataset), before);
    assertEquals(settingsOf(copy).path, settings.path);
  }
  assertEquals(await ground.problems(false), []);
});

Deno.test("a store remembers where it is, and asks once where it does not know", async () => {
  await using ground = new Ground();
  const image = await ground.image(await ground.tree("echo content > f"));
  // By a path with a symlink in it.
  const real = `${ground.path}/real`;
  await Deno.mkdir(real);
  await Deno.symlink(real, ground.work.store);
  await ground.create(image, "first");
  assertEquals(settingsOf(real).path, real);
  assertEquals(await callsBefore(ground, image, "warm"), []);
  // As an early version has left it.
  const { path: _, ...early } = settingsOf(real);
  await Deno.writeTextFile(`${real}/store.json`, JSON.stringify(early));
  assertEquals(await callsBefore(ground, image, "early"), ["get"]);
  assertEquals(settingsOf(real), { ...early, path: real });
  assertEquals(await callsBefore(ground, image, "known"), []);

  for (const id of ["first", "warm", "early", "known"]) await ground.remove(id);
  const moved = `${ground.path}/moved`;
  await Deno.rename(real, moved);
  await Deno.remove(ground.work.store);
  await Deno.symlink(moved, ground.work.store);
  const error = await refusal(() => ground.create(image, "web"));
  assertEquals(error.code, "conflict");
  const [, advice = ""] = /"zfs (set [^"]+)"/.exec(error.message) ?? [];
  await zfs(...advice.split(" "));
  assertEquals(await property(`${ground.dataset}/layers`, "org.layerfs:store"), encodeURI(moved));
  await ground.create(image, "web");
  assertEquals(await callsBefore(ground, image, "more"), []);
  assertEquals(await ground.problems(false), []);
});
