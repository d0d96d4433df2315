/**
 * A user of a test's own, who is not root, and what he needs to start layerfs.
 *
 * @module
 */

import { layerfsCommand, must, REPOSITORY, type Work } from "./harness.ts";

/** A user with subordinate ids, until the end of the test. */
export interface OrdinaryUser {
  /** UID:GID. */
  readonly owner: string;
  /** Absolute path of his own directory. */
  readonly home: string;
  /** The program and flags of layerfs, run as he. */
  readonly command: readonly string[];
}

/** Makes one; `work` removes him. */
export async function ordinaryUser(work: Work): Promise<OrdinaryUser> {
  const name = `layerfs-${crypto.randomUUID().slice(0, 8)}`;
  const home = work.path("home");
  await must(["useradd", "--home-dir", home, "--create-home", "--shell", "/bin/sh", name]);
  work.defer(() => must(["userdel", name]));
  // The checkout, Deno and its packages may all lie where only root can read.
  const { denoDir } = JSON.parse(await must([Deno.execPath(), "info", "--json"]));
  const script = `
    cp "$1" "$3/deno" && mkdir "$3/layerfs" "$3/run"
    cd "$2" && cp -r --parents mod.ts deno.json src wasm "$3/layerfs"
    [ ! -e deno.lock ] || cp deno.lock "$3/layerfs"
    mkdir "$3/deno-dir" && cp -r "$5/npm" "$3/deno-dir"
    chown -R "$4": "$3"`;
  const places = [Deno.execPath(), REPOSITORY, home, name, denoDir];
  await must(["bash", "-ec", script, "copy", ...places]);
  const ids = await must(["sh", "-c", 'id -u "$1"; id -g "$1"', "ids", name]);
  const [uid, gid] = ids.trim().split("\n");
  const drop = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all"];
  const variables = [`HOME=${home}`, `USER=${name}`, `DENO_DIR=${home}/deno-dir`];
  const clean = ["env", "-u", "XDG_DATA_HOME", `XDG_RUNTIME_DIR=${home}/run`, ...variables];
  const layerfs = await layerfsCommand(`${home}/layerfs`, `${home}/deno`);
  return { owner: `${uid}:${gid}`, home, command: [...drop, ...clean, ...layerfs] };
}
