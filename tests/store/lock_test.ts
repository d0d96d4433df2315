import { assert, assertEquals, assertRejects } from "@std/assert";
import { LayerfsError } from "../../src/errors.ts";
import { FileLock } from "../../src/store/lock.ts";

async function withPath(body: (path: string, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "layerfs-lock-" });
  try {
    await body(`${directory}/lock`, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Whether a promise is still pending after the event loop has had some turns. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise((resolve) => setTimeout(() => resolve("later"), 50));
  return await Promise.race([promise, later]) === "later";
}

Deno.test("a lock is refused while it is held, and free when its holder lets go", () =>
  withPath(async (path, directory) => {
    assertEquals(FileLock.tryExisting(path), null);
    {
      using _held = FileLock.create(path);
      assertEquals(FileLock.tryExisting(path), null);
    }
    FileLock.tryExisting(path)!.remove();
    assertEquals(await Array.fromAsync(Deno.readDir(directory)), []);
  }));

Deno.test("a lock is free when its holder lets go, though programs start meanwhile", () =>
  withPath(async (path) => {
    // between fork(2) and execve(2), a child has a copy of each open file
    const source = `for (let i = 0; i < 200; i++) await new Deno.Command("ls").output();
      self.postMessage("done");`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const starter = new Worker(url, { type: "module" });
    let done = false;
    starter.onmessage = () => done = true;
    while (!done) {
      (await FileLock.wait(path))[Symbol.dispose]();
      const again = FileLock.tryExisting(path);
      assert(again !== null);
      again.remove();
      await new Promise((resolve) => setTimeout(resolve));
    }
    starter.terminate();
    URL.revokeObjectURL(url);
  }));

Deno.test("shared locks exclude exclusive ones, and not each other", () =>
  withPath(async (path) => {
    const one = await FileLock.wait(path, "shared");
    const other = await FileLock.wait(path, "shared");
    const exclusive = FileLock.wait(path, "exclusive");
    assert(await isPending(exclusive));
    one[Symbol.dispose]();
    assert(await isPending(exclusive));
    other[Symbol.dispose]();
    using _held = await exclusive;
    const late = FileLock.wait(path, "shared");
    assert(await isPending(late));
    _held[Symbol.dispose]();
    (await late)[Symbol.dispose]();
  }));

Deno.test("who waits for a lock that is removed gets one of his own", () =>
  withPath(async (path) => {
    const first = await FileLock.wait(path);
    const second = FileLock.wait(path);
    assert(await isPending(second));
    first.remove();
    using _held = await second;
    assertEquals(FileLock.tryExisting(path), null);
  }));

Deno.test("a signal ends the wait", () =>
  withPath(async (path) => {
    using _held = await FileLock.wait(path);
    const controller = new AbortController();
    const waiting = FileLock.wait(path, "exclusive", controller.signal);
    controller.abort();
    const error = await assertRejects(() => waiting, LayerfsError);
    assertEquals(error.code, "interrupted");
    const refused = FileLock.wait(path, "shared", controller.signal);
    assertEquals((await assertRejects(() => refused, LayerfsError)).code, "interrupted");
  }));
