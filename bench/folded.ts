/**
 * V8's processor profiles as folded stacks, the form that flame graphs are made from.
 *
 * @module
 */

/** A profile as V8 writes it (Chrome DevTools protocol, Profiler.Profile). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { functionName: string; url: string; lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Ids of the nodes that were met, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Frames of no work: V8 had nothing to do, or a thread waited until it was being profiled. */
const IDLE = new Set(["(idle)", "(root)", "op_worker_maybe_wait_for_debugger"]);

/** Microseconds by stack, the outermost frame, `thread`, first, with semicolons between. */
export function foldStacks(thread: string, profile: CpuProfile): Map<string, number> {
  const stacks = new Map<number, string>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const isChild = new Set(profile.nodes.flatMap(({ children = [] }) => children));
  const waiting = profile.nodes.filter(({ id }) => !isChild.has(id)).map(({ id }) =>
    [id, thread] as const
  );
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [id, above] = next;
    const node = nodes.get(id);
    if (node === undefined) continue;
    const { functionName, url, lineNumber } = node.callFrame;
    const place = url === "" ? "" : ` ${url.replace(/^.*\/(?=[^/]*$)/, "")}:${lineNumber + 1}`;
    const frame = `${functionName || "(anonymous)"}${place}`.replaceAll(";", ",");
    const stack = functionName === "(root)" ? above : `${above};${frame}`;
    if (!IDLE.has(functionName)) stacks.set(id, stack);
    for (const child of node.children ?? []) waiting.push([child, stack]);
  }
  const folded = new Map<string, number>();
  profile.samples.forEach((id, i) => {
    const stack = stacks.get(id);
    const microseconds = Math.max(0, profile.timeDeltas[i] ?? 0);
    if (stack !== undefined) folded.set(stack, (folded.get(stack) ?? 0) + microseconds);
  });
  return folded;
}

/** Which of our threads a profile is of: the worker's file that occurs in it. */
export function threadOf(profile: CpuProfile): string {
  const urls = profile.nodes.map(({ callFrame }) => callFrame.url);
  const worker = urls.map((url) => /\/(\w+_worker)\.ts$/.exec(url)?.[1]).find((name) => name);
  return worker ?? "main";
}
