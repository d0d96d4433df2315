/** A tree packed into one layer, and applied again. */

import { assert, assertEquals } from "@std/assert";
import { applyLayers } from "../../src/layer/apply_layers.ts";
import { packTree } from "../../src/layer/pack.ts";
import { NO_TRAITS } from "../../src/layer/traits.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { digestOf } from "../fixtures/image.ts";
import { describe, IS_ROOT, output } from "../fixtures/tree.ts";
import { refuses, withDirectory } from "../source/scratch.ts";

const HOW = { algorithm: "sha256", engine: "wasm", level: 6 } as const;

/** Everything that a tree may hold; what takes root only as root. */
const EVERYTHING = `set -e
  mkdir -p d/sub/deeper empty
  echo content > d/file; chmod 0600 d/file; ln d/file another
  chmod 0750 d/sub; printf x > d/setuid; chmod 4755 d/setuid
  ln -s ../nowhere d/link; ln -s "$(printf 'raw\\377target')" rawlink
  printf raw > "$(printf 'raw\\377name')"; ln "$(printf 'raw\\377name')" "$(printf 'raw\\377hard')"
  mkfifo d/pipe
  head -c 3000000 /dev/urandom > big; truncate -s 5M holes
  long=$(printf 'n%.0s' $(seq 200)); mkdir -p "$long/$long"; : > "$long/$long/$long"
  printf z > 'new
line'
  setfattr -n user.kept -v value d/file; setfattr -n user.dir -v value d
  setfattr -n user.overlay.origin -v value d
  touch -d '2001-02-03 04:05:06.123456789' d/file; touch -d '1969-12-31 23:59:58.5' big
`;
const AS_ROOT = `set -e
  mknod null c 1 3; mknod disk b 8 1
  chown 1000:2000 d/file; chown -h 70000:70000 d/link
  setfattr -n trusted.kept -v value d/sub; setfattr -n trusted.overlay.opaque -v y d/sub
`;
/** After all names are there, as each one changes the time of its directory. */
const TIMES = "touch -h -d '2002-02-02 02:02:02.2' d/link; touch -d '2003-03-03 03:03:03.3' d .";

async function makeTree(root: string): Promise<void> {
  await Deno.mkdir(root);
  const scripts = [EVERYTHING, ...(IS_ROOT ? [AS_ROOT] : []), TIMES];
  for (const script of scripts) await output("sh", ["-c", `cd "$1" && ${script}`, "sh", root]);
}

/** Unpacks a packed layer to `root`, verified by its digests. */
async function unpack(path: string, root: string, digest: string, diffId: string): Promise<void> {
  const scratch = `${root}.scratch`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(scratch);
  const { size } = Deno.statSync(path);
  const layer = {
    content: { path, offset: 0, length: size },
    digest: parseDigest(digest),
    size,
    diffId: parseDigest(diffId),
  };
  await applyLayers(
    { root, scratch, layers: [layer], engine: "wasm", asRoot: IS_ROOT, traits: NO_TRAITS },
    new AbortController().signal,
    () => {},
  );
}

/** A tree without the attributes that stay behind. */
async function withoutForeign(root: string) {
  const tree = await describe(root);
  for (const node of Object.values(tree)) {
    for (const name of Object.keys(node.xattrs ?? {})) {
      if (/^(?:trusted|user)\.overlay\./.test(name)) delete node.xattrs?.[name];
    }
    if (node.xattrs !== undefined && Object.keys(node.xattrs).length === 0) delete node.xattrs;
  }
  return tree;
}

Deno.test("a packed tree unpacks to the same tree, but for overlay's own attributes", async () => {
  await withDirectory(async (dir) => {
    await makeTree(`${dir}/root`);
    const expected = await withoutForeign(`${dir}/root`);
    assertEquals(Object.keys(expected).length > 15, true);
    assert((await describe(`${dir}/root`))["d"]?.xattrs?.["user.overlay.origin"] !== undefined);
    for (const [algorithm, level] of [["sha256", 6], ["sha512", 0]] as const) {
      const path = `${dir}/${algorithm}`;
      const packed = await packTree(`${dir}/root`, path, { ...HOW, algorithm, level });
      assertEquals(packed.warnings, []);
      assertEquals(packed.digest as string, digestOf(Deno.readFileSync(path), algorithm));
      assertEquals(packed.size, Deno.statSync(path).size);
      assertEquals(packed.digest === packed.diffId, level === 0);
      await unpack(path, `${dir}/unpacked-${algorithm}`, packed.digest, packed.diffId);
      assertEquals(await describe(`${dir}/unpacked-${algorithm}`), expected);
    }
  });
});

Deno.test("the same tree gives the same bytes, whatever it was made by", async () => {
  await withDirectory(async (dir) => {
    await makeTree(`${dir}/root`);
    await output("cp", ["-a", `${dir}/root`, `${dir}/copy`]);
    // Names in another order, another time of reading and of change.
    await output("sh", ["-c", `cd "$1" && mv big x && mv x big && ${TIMES}`, "sh", `${dir}/copy`]);
    const first = await packTree(`${dir}/root`, `${dir}/1`, HOW);
    const second = await packTree(`${dir}/copy`, `${dir}/2`, { ...HOW, engine: "native" });
    assertEquals(first, second);
    const header = Deno.readFileSync(`${dir}/1`).subarray(0, 10);
    // RFC 1952: deflate, no name, no time, "unknown" system.
    assertEquals([...header], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  });
});

Deno.test("latest caps the times of modification", async () => {
  await withDirectory(async (dir) => {
    await Deno.mkdir(`${dir}/root`);
    const script = 'cd "$1" && touch -d @500 old && touch -d @2000 new && touch -d @3000 .';
    await output("sh", ["-c", script, "sh", `${dir}/root`]);
    const packed = await packTree(`${dir}/root`, `${dir}/layer`, { ...HOW, latest: 1000 });
    await unpack(`${dir}/layer`, `${dir}/out`, packed.digest, packed.diffId);
    const tree = await describe(`${dir}/out`);
    assertEquals(["old", "new", ""].map((name) => tree[name]?.mtime), ["500", "1000", "1000"]);
  });
});

Deno.test("a socket is left out, with a warning", async () => {
  await withDirectory(async (dir) => {
    await Deno.mkdir(`${dir}/root`);
    const script = 'cd "$1" && : > file && exec perl -MSocket -e ' +
      `'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("plug")) or die $!'`;
    await output("sh", ["-c", script, "sh", `${dir}/root`]);
    assert(Deno.lstatSync(`${dir}/root/plug`).isSocket);
    const packed = await packTree(`${dir}/root`, `${dir}/layer`, HOW);
    assertEquals(packed.warnings, ["./plug: socket ignored"]);
    await unpack(`${dir}/layer`, `${dir}/out`, packed.digest, packed.diffId);
    assertEquals(Object.keys(await describe(`${dir}/out`)), ["", "file"]);
  });
});

Deno.test("a name that would be a whiteout is refused", async () => {
  for (
    const [name, code, message] of [
      [".wh.x", "unsupported", '"d/.wh.x" has a name that'],
      [".wh..wh..opq", "unsupported", '"d/.wh..wh..opq" has a name that'],
      [".wh.", "image-invalid", '"./d/.wh."'],
    ] as const
  ) {
    await withDirectory(async (dir) => {
      await Deno.mkdir(`${dir}/root/d`, { recursive: true });
      await Deno.writeTextFile(`${dir}/root/d/${name}`, "");
      const pack = () => packTree(`${dir}/root`, `${dir}/layer`, HOW);
      await refuses(pack, code, `Cannot pack "${dir}/root": `, message);
      assertEquals([...Deno.readDirSync(dir)].length, 1);
    });
  }
});

Deno.test("what fails leaves no file", async () => {
  await withDirectory(async (dir) => {
    const path = `${dir}/layer`;
    const pack = (root: string, signal?: AbortSignal) => () =>
      packTree(root, path, signal === undefined ? HOW : { ...HOW, signal });
    await refuses(pack(`${dir}/absent`), "not-found", `no directory "${dir}/absent"`);
    await Deno.mkdir(`${dir}/root`);
    await Deno.writeFile(`${dir}/root/big`, new Uint8Array(50_000_000));
    await refuses(pack(`${dir}/root`, AbortSignal.abort()), "interrupted");
    const controller = new AbortController();
    const packing = pack(`${dir}/root`, controller.signal)();
    setTimeout(() => controller.abort(), 20);
    await refuses(() => packing, "interrupted");
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), ["root"]);
    await Deno.writeTextFile(path, "precious");
    await refuses(pack(`${dir}/root`), "conflict", "exists already");
    assertEquals(Deno.readTextFileSync(path), "precious");
  });
});

Deno.test("a disk that is full is an error, and leaves no file", async () => {
  await withDirectory(async (dir) => {
    await Deno.mkdir(`${dir}/root`);
    const bytes = crypto.getRandomValues(new Uint8Array(65536));
    for (let i = 0; i < 100; i++) await Deno.writeFile(`${dir}/root/${i}`, bytes);
    await Deno.writeTextFile(`${dir}/pack.ts`, limited(dir));
    const config = new URL("../../deno.json", import.meta.url).pathname;
    // The shell's limit of a file's size stands in for a full disk: EFBIG comes as ENOSPC does.
    const script = `trap '' XFSZ; ulimit -f 2000; exec "$@"`;
    const deno = [Deno.execPath(), "run", "--quiet", "--no-check", `--config=${config}`];
    const granted = ["--allow-read", "--allow-write", "--allow-run=tar", "--allow-sys=uid"];
    const flags = [...granted, `${dir}/pack.ts`];
    const said = await output("sh", ["-c", script, "sh", ...deno, ...flags]);
    assertEquals(new TextDecoder().decode(said).trim(), "storage false");
  });
});

function limited(dir: string): string {
  const module = new URL("../../src/layer/pack.ts", import.meta.url).href;
  return `import { packTree } from ${JSON.stringify(module)};
    const [root, path] = ${JSON.stringify([`${dir}/root`, `${dir}/layer`])};
    const code = await packTree(root, path, ${JSON.stringify(HOW)}).catch((error) => error.code);
    const left = await Deno.lstat(path).then(() => true, () => false);
    console.log(code, left);`;
}
