/**
 * Some things at a time.
 *
 * @module
 */

/**
 * Calls `action` for each item, at most `limit` at a time, in order. Once one has failed, the signal
 * of the others is aborted and no more are begun; all have ended when this does.
 *
 * @throws what failed first
 */
export async function forEachParallel<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal | undefined,
  action: (item: T, index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const waiting = items.entries();
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes the next item that nobody has.
    for (const [index, item] of waiting) {
      if (failed.signal.aborted) return;
      try {
        await action(item, index, either);
      } catch (error) {
        errors.push(error);
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
}
