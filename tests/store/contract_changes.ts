/**
 * The contract of drivers: what a container has changed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { decodeName } from "../../src/core/raw_name.ts";
import { treeChanges } from "../../src/layer/tree_changes.ts";
import type { ContainerRootfs } from "../../src/store/driver.ts";
import type { LayerRecord } from "../../src/store/layer_record.ts";
import { dir, file, hardlink, symlink } from "../fixtures/tar.ts";
import { IS_ROOT } from "../fixtures/tree.ts";
import { bash } from "./contract_compare.ts";
import type { ContractTest, Ground } from "./contract_ground.ts";

const RAW = Uint8Array.of(0x72, 0xff);
const RAW_BELOW = Uint8Array.of(0x72, 0xff, 0x64, 0x2f, 0x66); // r\xffd/f

/** The layers of the containers that change. */
export const CHANGED_LAYERS = [
  [
    dir("./"),
    dir("d"),
    file("d/a", "a"),
    file("d/b", "b"),
    dir("d/deep"),
    file("d/deep/c", "c"),
    dir("e"),
    file("e/x", "x"),
    file("same", "1234"),
    file("two", "two"),
    hardlink("twin", "two"),
    symlink("link", "d"),
    file(RAW, "raw"),
    dir(RAW_BELOW.subarray(0, 3)),
    file(RAW_BELOW, "f"),
    file("sp ace\\\n\u00fc", "odd"),
  ],
  [dir("later"), file("later/f", "f"), file("gone", "gone")],
];

/** The layers' tree: that which the driver keeps, or those unpacked anew. */
async function withLower<T>(
  ground: Ground,
  top: LayerRecord | null,
  read: (root: string) => Promise<T>,
): Promise<T> {
  return top === null ? await read(await unpacked(ground)) : await ground.see(top, read);
}

async function unpacked(ground: Ground): Promise<string> {
  const root = `${ground.scratch}/lower-${crypto.randomUUID()}`;
  await Deno.mkdir(root, { mode: 0o755 });
  await fill(ground, root);
  return root;
}

async function fill(ground: Ground, root: string): Promise<void> {
  let traits = null;
  for (const members of CHANGED_LAYERS) traits = (await ground.apply(root, members, traits)).traits;
}

/** A container of the layers, whatever the driver keeps. */
async function start(
  ground: Ground,
  id: string,
  top: LayerRecord | null,
): Promise<ContainerRootfs> {
  const container = await ground.container(id, top);
  if (top === null) await fill(ground, container.rootfs);
  return container;
}

/** Every change as `KIND path`, names that are not UTF-8 as latin1. */
async function changes(
  ground: Ground,
  container: ContainerRootfs,
  top: LayerRecord | null,
): Promise<string[]> {
  return await withLower(ground, top, async (root) => {
    const candidates = await ground.driver.changedPaths(container);
    const options = { scratch: ground.scratch };
    const { changes, names } = await treeChanges(root, container.rootfs, candidates, options);
    return changes.map(({ kind, path }) => {
      return `${kind} /${String.fromCharCode(...decodeName(path, names)!)}`;
    });
  });
}

/** Makes a socket, which stays when its program has ended. */
const SOCKET =
  `perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "e/s", Listen => 1) or die'`;

/** A change that a script makes, and what is to be seen of it; times are put back where they were. */
export const CHANGES:
  readonly (readonly [string, string, readonly string[], ("root" | "xattr")?])[] = [
    ["nothing", "", []],
    [
      "a file that was changed and changed back",
      "touch -r d/a .t; chmod 600 d/a; chmod 644 d/a; " +
      "echo b > d/a; printf a > d/a; touch -r .t d/a; rm .t",
      [],
    ],
    ["a new file", "echo > d/new", ["A /d/new"]],
    ["content", "printf A > d/a", ["M /d/a"]],
    [
      "content of the same size and time",
      "cp -p same .t; printf 4321 > same; touch -r .t same; rm .t",
      [
        "M /same",
      ],
    ],
    ["a mode", "chmod 600 d/b", ["M /d/b"]],
    ["an owner", "chown 5:6 d/b", ["M /d/b"], "root"],
    ["a time", "touch -d @5 d/b", ["M /d/b"]],
    ["the time of a directory", "touch -d @5 e", ["M /e"]],
    ["the mode of the root", "chmod 700 .", ["M /"]],
    ["an extended attribute", "setfattr -n user.layerfs -v 1 d/b", ["M /d/b"], "xattr"],
    ["an extended attribute of a directory", "setfattr -n user.layerfs -v 1 d/deep", [
      "M /d/deep",
    ], "xattr"],
    ["a removed file", "rm gone", ["D /gone"]],
    ["a removed directory", "rm -r d", ["D /d"]],
    ["a moved file", "mv d/a e/moved", ["A /e/moved", "D /d/a"]],
    ["a moved directory", "mv d/deep e/moved", ["A /e/moved", "A /e/moved/c", "D /d/deep"]],
    ["a moved directory in the place of another", "rm -r e; mv d e", [
      "A /e/a",
      "A /e/b",
      "A /e/deep",
      "A /e/deep/c",
      "D /d",
      "D /e/x",
    ]],
    ["a directory made anew", "rm -r d; mkdir d; printf a > d/a; touch -d @1000000000 d d/a", [
      "D /d/b",
      "D /d/deep",
    ]],
    ["a file in the place of a directory", "rm -r d; echo > d", ["M /d"]],
    ["a directory in the place of a file", "rm gone; mkdir gone; echo > gone/f", [
      "A /gone/f",
      "M /gone",
    ]],
    ["a directory in the place of a symlink", "rm link; mkdir link; echo > link/a", [
      "A /link/a",
      "M /link",
    ]],
    ["another target of a symlink", "ln -sfn e link; touch -h -d @1000000000 link", ["M /link"]],
    ["a new name of a file", "ln same e/linked", ["A /e/linked"]],
    ["a removed name of a file", "rm twin", ["D /twin"]],
    ["a name of another file in the place of one", "ln -f d/a d/b", ["M /d/b"]],
    ["content of a file with two names", "printf TWO > twin; cmp two twin || ln -f twin two", [
      "M /twin",
      "M /two",
    ]],
    ["a FIFO and a socket", `mkfifo e/p; ${SOCKET}; touch -d @1000000000 e`, ["A /e/p"]],
    ["a device", "mknod c c 1 3", ["A /c"], "root"],
    ["names that are no UTF-8", String.raw`echo > $'r\xff'; echo > $'r\xffd/new'; mkdir $'n\xfe'`, [
      "A /n\xfe",
      "A /r\xffd/new",
      "M /r\xff",
    ]],
    ["odd names", String.raw`echo > $'sp ace\\\n\xc3\xbc'; echo > $'\x02 7'`, [
      "A /\x02 7",
      "M /sp ace\\\n\xc3\xbc",
    ]],
  ];

/** Puts the times of directories back that a script has disturbed by the way. */
const RESTORE = "find . -type d -newermt @1500000000 -exec touch -d @1000000000 {} +";

/** Each in a container of its own, all of the same layers, which take longest to make. */
async function everyKind(ground: Ground): Promise<void> {
  const top = ground.options.keepsLayers ? await ground.stack(...CHANGED_LAYERS) : null;
  for (const [i, [name, script, expected, needs]] of CHANGES.entries()) {
    if (needs === "root" && !IS_ROOT) continue;
    const container = await start(ground, `c${i}`, top);
    await bash(container.rootfs, `umask 022; ${script}\n${RESTORE}`);
    const wanted = expected.toSorted((a, b) => a.slice(2) < b.slice(2) ? -1 : 1);
    assertEquals(await changes(ground, container, top), wanted, name);
    await ground.drop(container.id);
  }
}

async function emptyContainer(ground: Ground): Promise<void> {
  const container = await ground.container("empty", null);
  await bash(container.rootfs, "mkdir d && echo > d/f && touch -d @5 .");
  const empty = `${ground.scratch}/empty`;
  await Deno.mkdir(empty, { mode: 0o755 });
  await bash(empty, "touch -d @5 .");
  const candidates = await ground.driver.changedPaths(container);
  const options = { scratch: ground.scratch };
  const { changes } = await treeChanges(empty, container.rootfs, candidates, options);
  assertEquals(changes.map(({ kind, path }) => `${kind} ${path}`), ["A d", "A d/f"]);
}

/**
 * What the driver tells of changes: where they are, and not all that there is. Nothing is removed: an
 * object that is half removed keeps `zfs diff` from an answer (openzfs/zfs#13343).
 */
async function toldWithoutWalk(ground: Ground): Promise<void> {
  const top = await ground.stack(...CHANGED_LAYERS);
  const container = await ground.container("told", top);
  await bash(container.rootfs, "echo > d/new; printf A > e/x; mkdir n; chmod 600 later/f");
  await ground.see(top, async () => {
    const { paths } = await ground.driver.changedPaths(container);
    assertEquals(paths !== null, ground.options.tellsChanges);
    if (paths === null) return;
    const told = paths.map((path) => new TextDecoder().decode(path));
    for (const path of ["d/new", "e/x", "n", "later/f"]) assert(told.includes(path), path);
    for (const path of ["d/a", "d/deep", "d/deep/c", "same"]) assert(!told.includes(path), path);
  });
}

export const CHANGE_TESTS: readonly ContractTest[] = [
  { name: "changes: every kind", run: everyKind },
  { name: "changes: where they are, without a walk", needs: "keepsLayers", run: toldWithoutWalk },
  { name: "changes: all of a container that began empty", run: emptyContainer },
];
