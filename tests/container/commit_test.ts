import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { commitContainer, type CommitContainerOptions } from "../../src/container/commit.ts";
import { createContainer, type CreateOptions } from "../../src/container/create.ts";
import { diffContainer } from "../../src/container/diff.ts";
import { fsck } from "../../src/container/fsck.ts";
import { listImages } from "../../src/container/images.ts";
import { NO_OVERRIDES } from "../../src/container/overrides.ts";
import { pull } from "../../src/container/pull.ts";
import { LayerfsError } from "../../src/errors.ts";
import { HELLO_TAG, writeHelloLayout } from "../../src/hello/hello_image.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { resolveImage } from "../../src/source/image.ts";
import { kill } from "../fixtures/child.ts";
import { IS_ROOT, output } from "../fixtures/tree.ts";
import { treeDifferences } from "../store/contract_compare.ts";

/** A store with a container "web" of the hello image, and what commits it as "web:2". */
interface Place {
  readonly directory: string;
  readonly create: CreateOptions;
  readonly commit: CommitContainerOptions;
  readonly rootfs: string;
}

async function withWeb(
  body: (place: Place) => Promise<void>,
  inDirectory?: string,
): Promise<void> {
  const directory = inDirectory ?? await Deno.makeTempDir({ prefix: "layerfs-commit-" });
  try {
    await writeHelloLayout(`${directory}/hello`);
    const work = {
      store: `${directory}/store`,
      driver: "directory",
      engine: "native",
      signal: new AbortController().signal,
      onProgress: () => {},
    } as const;
    const create = {
      ...work,
      image: `oci:${directory}/hello:${HELLO_TAG}`,
      platform: "linux/amd64",
      overrides: NO_OVERRIDES,
      command: [],
    };
    const { rootfs } = await createContainer({ ...create, name: "web" });
    await body({ directory, create, commit: { ...work, id: "web", name: "web:2" }, rootfs });
  } finally {
    if (inDirectory === undefined) await Deno.remove(directory, { recursive: true });
  }
}

const sh = (cwd: string, script: string) => output("sh", ["-ec", `cd "$1"; ${script}`, "sh", cwd]);

/** Makes a socket, which stays when its program has ended. */
const MAKE_SOCKET =
  `perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "etc/socket", Listen => 1) or die'`;

async function refusal(action: () => Promise<unknown>): Promise<LayerfsError> {
  return await assertRejects<LayerfsError>(action, LayerfsError);
}

/** What a sweep and fsck leave of work that has ended or died: nothing. */
async function assertClean({ commit }: Place): Promise<void> {
  const { problems } = await fsck({ ...commit, deep: false, repair: false });
  assertEquals(problems.filter(({ kind }) => kind !== "litter"), []);
}

Deno.test("diff lists what has changed, in the order of paths", () =>
  withWeb(async ({ commit, rootfs }) => {
    assertEquals(await diffContainer(commit, "web"), []);
    await sh(rootfs, "echo > etc/new; mkdir -p a/b; rm hello; touch -d @7 etc . a");
    assertEquals(await diffContainer(commit, "web"), [
      { kind: "M", path: "/" },
      { kind: "A", path: "/a" },
      { kind: "A", path: "/a/b" },
      { kind: "M", path: "/etc" },
      { kind: "A", path: "/etc/new" },
      { kind: "D", path: "/hello" },
    ]);
    await output("bash", ["-c", String.raw`touch "$1"/etc/$'\xff\n' `, "bash", rootfs]);
    const paths = (await diffContainer(commit, "web")).map(({ path }) => path);
    assert(paths.includes(String.raw`/etc/\xff\xa`), paths.join());
    assertEquals((await refusal(() => diffContainer(commit, "none"))).code, "not-found");
  }));

Deno.test("commit makes an image whose containers have the same tree", () =>
  withWeb(async ({ commit, create, rootfs }) => {
    await sh(rootfs, "echo new > etc/new; ln etc/new etc/link; rm hello; mkdir empty");
    const made = await commitContainer({
      ...commit,
      author: "A. Uthor",
      message: "with more",
      changes: ['CMD ["sh", "-c"]', "ENV A=b", "LABEL k=v", "EXPOSE 80", "WORKDIR /empty"],
      epoch: undefined,
    });
    assertEquals([made.name, made.tag, made.layers], ["web", "2", 2]);
    const image = await resolveImage("web:2", parsePlatform("linux/amd64"), commit);
    assertEquals(image.digest, made.digest);
    const config = JSON.parse(new TextDecoder().decode(image.configBytes));
    const { Env, Cmd, Labels, ExposedPorts, WorkingDir } = config.config;
    assertEquals([Env.at(-1), Cmd, WorkingDir], ["A=b", ["sh", "-c"], "/empty"]);
    assertEquals([Labels.k, ExposedPorts], ["v", { "80/tcp": {} }]);
    assertEquals(Labels["org.opencontainers.image.title"], "layerfs hello"); // the image's own
    const { created_by, comment, author } = config.history.at(-1);
    assertEquals([created_by, comment, author], ["layerfs commit", "with more", "A. Uthor"]);
    assertEquals([config.author, config.history.length], ["A. Uthor", 2]);
    const again = await createContainer({ ...create, image: "web:2", name: "again" });
    const exactness = { digits: 9, links: true };
    assertEquals(await treeDifferences(again.rootfs, rootfs, exactness), []);
    // A container of a committed image can be committed in turn.
    await sh(again.rootfs, "rm etc/link; echo 3 > etc/three");
    assertEquals((await commitContainer({ ...commit, id: "again", name: "web:3" })).layers, 3);
  }));

Deno.test("SOURCE_DATE_EPOCH makes the same image of the same changes", () =>
  withWeb(async ({ commit, create, rootfs }) => {
    const script = "echo > etc/new; mkdir d; echo > d/f; ln d/f d/g";
    await sh(rootfs, script);
    const one = await commitContainer({ ...commit, epoch: 1_700_000_000 });
    const other = await createContainer({ ...create, name: "other" });
    await sh(other.rootfs, `sleep 1.1; ${script}`);
    const again = await commitContainer({ ...commit, id: "other", epoch: 1_700_000_000 });
    assertEquals(again.digest, one.digest);
  }));

Deno.test("a container without an image is committed with all that it has", () =>
  withWeb(async ({ commit, create, rootfs }) => {
    const { image: _, platform: __, ...options } = create;
    const made = await createContainer({ ...options, rootfs, name: "bare", command: ["sh"] });
    const { layers } = await commitContainer({ ...commit, id: "bare", name: "bare" });
    assertEquals(layers, 1);
    const again = await createContainer({
      ...options,
      image: "bare",
      name: "again",
      command: ["sh"],
    });
    const exactness = { digits: 9, links: true };
    assertEquals(await treeDifferences(again.rootfs, made.rootfs, exactness), []);
  }));

Deno.test("the image is found again under any name, by its config", () =>
  withWeb(async (place) => {
    const { commit, create, directory, rootfs } = place;
    await sh(rootfs, "echo > new");
    await Deno.rename(`${directory}/hello`, `${directory}/moved`);
    const error = await refusal(() => commitContainer(commit));
    assertEquals(error.code, "not-found");
    assertStringIncludes(error.message, "pull that image into the store");
    assertEquals(await listImages(commit), []);
    const reference = `oci:${directory}/moved:${HELLO_TAG}`;
    await pull({ ...commit, platform: create.platform, as: "kept:1", image: reference });
    assertEquals((await commitContainer(commit)).layers, 2);
    await assertClean(place);
  }));

Deno.test("a socket is left out, with a warning", () =>
  withWeb(async ({ commit, rootfs }) => {
    await sh(rootfs, MAKE_SOCKET);
    const { warnings } = await commitContainer(commit);
    assertEquals(warnings, ['left out what no layer can have: "etc/socket"']);
  }));

Deno.test("two commits at once, and a container that is written to", () =>
  withWeb(async (place) => {
    const { commit, rootfs } = place;
    await sh(rootfs, "echo > new");
    const names = ["one", "two", "three"];
    const made = await Promise.all(names.map((name) => commitContainer({ ...commit, name })));
    assertEquals(made.map(({ layers }) => layers), [2, 2, 2]);
    let ended = false;
    const writer = (async () => {
      for (let i = 0; !ended; i++) {
        await Deno.writeTextFile(`${rootfs}/etc/busy`, `${i}\n`.repeat(2000));
        await Deno.writeTextFile(`${rootfs}/etc/busy-${i % 7}`, `${i}`);
        await Deno.remove(`${rootfs}/etc/busy-${(i + 3) % 7}`).catch(() => {});
      }
    })();
    try {
      for (let i = 0; i < 5; i++) {
        const outcome = await commitContainer({ ...commit, name: `busy:${i}` }).catch((e) => e);
        if (outcome instanceof Error) {
          assert(outcome instanceof LayerfsError && outcome.code === "conflict", String(outcome));
        } else assertEquals(outcome.layers, 2);
      }
    } finally {
      ended = true;
      await writer;
    }
    await assertClean(place);
  }));

Deno.test("a commit that is killed leaves litter only", () =>
  withWeb(async (place) => {
    const { commit, rootfs } = place;
    await sh(rootfs, "for i in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/urandom > etc/f$i; done");
    const mod = new URL("../../mod.ts", import.meta.url).pathname;
    const flags = ["--quiet", "--no-check", "-P=commit", "--config"];
    const config = new URL("../../deno.json", import.meta.url).pathname;
    for (let delay = 300; delay <= 1500; delay += 240) {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", ...flags, config, mod, "commit", "--driver", "directory"],
          ...["--store", commit.store, "web", "killed:1"],
        ],
        stdout: "null",
        stderr: "null",
      }).spawn();
      const timer = setTimeout(() => kill(child), delay);
      const { success } = await child.status;
      clearTimeout(timer);
      const images = await listImages(commit);
      assert(success ? images.length === 1 : images.length <= 1);
      await assertClean(place);
    }
    const made = await commitContainer(commit);
    assertEquals(made.layers, 2);
  }));

Deno.test({
  name: "a full disk is an error, and leaves the store as it was",
  ignore: !IS_ROOT,
  fn: async () => {
    const directory = await Deno.makeTempDir({ prefix: "layerfs-commit-full-" });
    await output("mount", ["-t", "tmpfs", "-o", "size=4m", "layerfs-test", directory]);
    try {
      await withWeb(async (place) => {
        await sh(place.rootfs, "head -c 2300000 /dev/urandom > big");
        const error = await refusal(() => commitContainer(place.commit));
        assertEquals(error.code, "storage-full", error.message);
        assertEquals(await listImages(place.commit), []);
        assertEquals([...Deno.readDirSync(`${place.commit.store}/staging`)], []);
        await assertClean(place);
      }, directory);
    } finally {
      await output("umount", [directory]);
      await Deno.remove(directory);
    }
  },
});
