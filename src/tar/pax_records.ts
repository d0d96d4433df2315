/**
 * Records of a pax extended header: `LENGTH KEY=VALUE\n`, where the length counts the whole record
 * with its own digits (POSIX.1-2008 pax, "pax Extended Header").
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeRecords } from "./pax_records.ts";
 *
 * const bytes = encodeRecords([["path", "a"]]);
 * assertEquals(new TextDecoder().decode(bytes), "9 path=a\n");
 * ```
 *
 * @module
 */

/** A time, exact to the nanosecond: half a second before 1970 is `{-1, 500_000_000}`. */
export interface TarTime {
  /** Whole seconds since 1970-01-01T00:00:00Z, rounded down; negative before. */
  readonly seconds: number;
  /** 0 to 999,999,999, added to the seconds. */
  readonly nanoseconds: number;
}

/** A key and its value; text is written as UTF-8, bytes as they are. */
export type PaxRecord = readonly [key: string, value: string | Uint8Array];

const encoder = new TextEncoder();

/** The bytes of `records`, in their order. */
export function encodeRecords(records: readonly PaxRecord[]): Uint8Array<ArrayBuffer> {
  const parts = records.map(([key, value]) => {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    const keyBytes = encoder.encode(` ${key}=`);
    const rest = keyBytes.length + bytes.length + 1;
    return { lengthBytes: encoder.encode(String(recordLength(rest))), keyBytes, bytes };
  });
  const total = parts.reduce(
    (sum, part) => sum + part.lengthBytes.length + part.keyBytes.length + part.bytes.length + 1,
    0,
  );
  const whole = new Uint8Array(total);
  let at = 0;
  for (const { lengthBytes, keyBytes, bytes } of parts) {
    for (const piece of [lengthBytes, keyBytes, bytes]) {
      whole.set(piece, at);
      at += piece.length;
    }
    whole[at++] = 0x0a;
  }
  return whole;
}

/** Length of a record whose part after the length has `rest` bytes. */
function recordLength(rest: number): number {
  const guess = rest + String(rest).length;
  // Its own digits can carry the length over a power of ten: "99" would need "100".
  return rest + String(guess).length;
}

/** A time as pax writes it: seconds with as many decimals as it has, such as "-0.5". */
export function paxTime(time: TarTime): string {
  if (time.nanoseconds === 0) return String(time.seconds);
  const negative = time.seconds < 0;
  const seconds = negative ? -time.seconds - 1 : time.seconds;
  const nanoseconds = negative ? 1_000_000_000 - time.nanoseconds : time.nanoseconds;
  const decimals = String(nanoseconds).padStart(9, "0").replace(/0+$/, "");
  return `${negative ? "-" : ""}${seconds}.${decimals}`;
}

/**
 * The record key of an extended attribute. A key ends at its first "=", so GNU tar writes "=" as
 * `%3D`, and "%" as `%25`.
 */
export function xattrKey(name: string): string {
  return "SCHILY.xattr." + name.replaceAll("%", "%25").replaceAll("=", "%3D");
}
