/** The set of paths of a layer. */

import { assertEquals, assertThrows } from "@std/assert";
import { TOKEN_MARK } from "../../src/core/raw_name.ts";
import { type SeenState, type TarEntry, TarScanner } from "../../src/core/tar_scanner.ts";
import { dir, file, latin1, tarball, whiteout } from "../fixtures/tar.ts";
import { scan } from "./scan.ts";

const NO_VISITOR = { entry: () => {}, data: () => {}, end: () => {} };

function emptyScanner(): TarScanner {
  return new TarScanner({ algorithm: null, engine: "wasm" });
}

Deno.test("new, implied, seen", () => {
  const scanner = emptyScanner();
  const states = (...paths: string[]) => paths.map((path) => scanner.seen(path));
  assertEquals(states("", "a", "a/b", "a/b/c"), [0, 0, 0, 0]);
  assertEquals(scanner.markSeen("a/b"), 0);
  assertEquals(states("", "a", "a/b", "a/b/c", "b", "ab"), [1, 1, 2, 0, 0, 0]);
  assertEquals(scanner.markSeen("a"), 1);
  assertEquals(scanner.markSeen("a"), 2);
  assertEquals(scanner.markSeen(""), 1);
  assertEquals(states("", "a", "a/b"), [2, 2, 2]);
  assertEquals(scanner.markSeen("a/b/c/d"), 0);
  assertEquals(states("a/b", "a/b/c", "a/b/c/d"), [2, 1, 2]);
});

Deno.test("entries say whether their path came before, in pieces of any size", () => {
  const archive = tarball([
    file("d/e/f"),
    dir("d"),
    whiteout("d/g"),
    file("d/g"),
    file("./d//g"),
    file("x/../d/e/f"),
    dir("/"),
  ]);
  for (const step of [1, 512, 1 << 20]) {
    const { entries } = scan(archive, step);
    assertEquals(entries.map(({ path, duplicate, implied }) => [path, duplicate, implied]), [
      ["d/e/f", false, false],
      ["d", false, true],
      ["d/.wh.g", false, false],
      ["d/g", false, false],
      ["d/g", true, false],
      ["d/e/f", true, false],
      ["", false, true],
    ]);
  }
});

Deno.test("the set is as of the entry that is delivered, however much was scanned ahead", () => {
  const archive = tarball([file("a"), file("b/c"), whiteout("b/x"), file("d")]);
  const paths = ["a", "b", "b/c", "b/x", "d", "e"];
  const found: SeenState[][] = [];
  const scanner = emptyScanner();
  scanner.window.set(archive);
  scanner.feed(archive.length, {
    entry: (entry: TarEntry) => {
      found.push(paths.map((path) => scanner.seen(path)));
      // What the host adds counts for entries that were scanned already.
      if (entry.path === "a") scanner.markSeen("d");
      if (entry.path === "d") assertEquals(entry.duplicate, true);
    },
    data: () => {},
    end: () => {},
  });
  assertEquals(found, [
    [2, 0, 0, 0, 0, 0],
    [2, 1, 2, 0, 2, 0],
    [2, 1, 2, 0, 2, 0],
    [2, 1, 2, 0, 2, 0],
  ]);
});

Deno.test("300,000 paths: memory grows under the window, nothing is lost", () => {
  const scanner = emptyScanner();
  const expected = new Map<string, SeenState>();
  for (let i = 0; i < 300_000; i++) {
    const path = `${i % 10}/${i % 1000}/file-${i}`;
    assertEquals(scanner.markSeen(path), 0);
    expected.set(path, 2);
  }
  for (let i = 0; i < 1000; i++) expected.set(`${i % 10}/${i}`, 1);
  for (const [path, state] of expected) assertEquals(scanner.seen(path), state, path);
  for (let i = 0; i < 1000; i++) assertEquals(scanner.seen(`${i % 10}/${i}/file-${i + 1}`), 0);
  // The stream is scanned as before.
  const archive = tarball([file("0/0/file-0", "x")]);
  scanner.window.set(archive);
  let duplicate: boolean | undefined;
  scanner.feed(archive.length, { ...NO_VISITOR, entry: (e) => void (duplicate = e.duplicate) });
  scanner.end(NO_VISITOR);
  assertEquals(duplicate, true);
});

Deno.test("adding paths while entries are delivered keeps what is delivered", () => {
  const members = Array.from({ length: 300 }, (_, i) => file(`f${i}`, `contents ${i}`));
  const archive = tarball(members);
  const scanner = emptyScanner();
  scanner.window.set(archive);
  let count = 0;
  let texts = "";
  scanner.feed(archive.length, {
    entry: (entry) => {
      for (let i = 0; i < 500; i++) scanner.markSeen(`more/${entry.path}/${i}`);
      assertEquals(entry.path, `f${count}`);
    },
    data: (bytes) => void (texts += new TextDecoder().decode(bytes)),
    end: () => void count++,
  });
  assertEquals(count, 300);
  assertEquals(texts, Array.from({ length: 300 }, (_, i) => `contents ${i}`).join(""));
});

Deno.test("names that differ in any byte are different, those that are not UTF-8 too", () => {
  const names = ["\xff", "\xfe", "a\xff", "\xffa", "a", "A", "\xe9"].map(latin1);
  names.push(new TextEncoder().encode("é"), new TextEncoder().encode("e\u0301"));
  const { entries, scanner } = scan(tarball(names.map((name) => file(name))));
  assertEquals(entries.filter((entry) => entry.duplicate).length, 0);
  for (const entry of entries) assertEquals(scanner.seen(entry.path), 2);
  assertEquals(scanner.seen(`${TOKEN_MARK}${"0".repeat(64)}`), 0);
  assertThrows(() => scanner.markSeen(`${TOKEN_MARK}${"0".repeat(64)}`), TypeError);
  assertEquals(scanner.seen("a".repeat(5000)), 0);
});
