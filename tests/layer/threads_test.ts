/** Threads that are started before there is work for them. */

import { assert, assertEquals } from "@std/assert";
import { type ThreadKind, Threads } from "../../src/layer/threads.ts";

/** Stands for a thread, and remembers what was done to it. */
class FakeWorker {
  static readonly all: FakeWorker[] = [];
  onerror: ((event: Event) => void) | null = null;
  isEnded = false;
  readonly name: string;

  constructor(url: URL) {
    this.name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
    FakeWorker.all.push(this);
  }

  terminate(): void {
    this.isEnded = true;
  }
}

/** Runs `body` where threads are fakes. */
function withFakes(body: (all: readonly FakeWorker[]) => void): void {
  const { Worker } = globalThis;
  FakeWorker.all.length = 0;
  Object.assign(globalThis, { Worker: FakeWorker });
  try {
    body(FakeWorker.all);
  } finally {
    Object.assign(globalThis, { Worker });
  }
}

const names = (workers: readonly FakeWorker[]) => workers.map(({ name }) => name);

Deno.test("those that are started ahead are taken first, each once, and the others are ended", () =>
  withFakes((all) => {
    const take = (threads: Threads, kind: ThreadKind) =>
      threads.take(kind) as unknown as FakeWorker;
    {
      using threads = new Threads();
      threads.startAhead();
      assertEquals(names(all), ["write_worker.ts", "inflate_worker.ts"]);
      const [write, inflate] = all;
      assert(take(threads, "write") === write);
      assert(take(threads, "write") !== write);
      assertEquals(take(threads, "digest").name, "digest_worker.ts");
      assertEquals([write!.isEnded, inflate!.isEnded], [false, false]);
    }
    assertEquals(all.map(({ isEnded }) => isEnded), [false, true, false, false]);
  }));

Deno.test("one that dies before it is taken is left to nobody", () =>
  withFakes((all) => {
    using threads = new Threads();
    threads.startAhead();
    const event = new Event("error", { cancelable: true });
    all[1]!.onerror!(event);
    assert(event.defaultPrevented); // else it would end the process
    assert(threads.take("inflate") as unknown !== all[1]);
    assertEquals(names(all), ["write_worker.ts", "inflate_worker.ts", "inflate_worker.ts"]);
  }));
