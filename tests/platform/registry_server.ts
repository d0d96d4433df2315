/**
 * A real registry, Debian's docker-registry, on a free port of the loopback interface: with or
 * without a password, with or without TLS by an authority of its own.
 *
 * @example
 * ```ts ignore
 * await using registry = await RegistryServer.start({ tls: true, user: { name: "a", password: "b" } });
 * await must(["skopeo", "copy", "--dest-cert-dir", registry.certificates, …]);
 * ```
 *
 * @module
 */

import { kill } from "../fixtures/child.ts";
import { must, start } from "./harness.ts";

/** What a registry is to be like. */
export interface RegistryServerOptions {
  /** The only one who may use it; anybody where it is absent. */
  readonly user?: { readonly name: string; readonly password: string };
  /** https, with a certificate that {@linkcode RegistryServer.certificates} vouches for. */
  readonly tls?: boolean;
}

/** How long a registry may take to answer for the first time, in milliseconds. */
const PATIENCE = 20_000;

/** A registry that runs. It ends, and its files go, when it is disposed of. */
export class RegistryServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #directory: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** What `--cert-dir` takes: `ca.crt` is there where the registry speaks TLS. */
  readonly certificates: string;

  private constructor(child: Deno.ChildProcess, directory: string, host: string) {
    this.#child = child;
    this.#directory = directory;
    this.host = host;
    this.certificates = `${directory}/certificates`;
  }

  /** Starts a registry and waits until it answers. */
  static async start(options: RegistryServerOptions = {}): Promise<RegistryServer> {
    const directory = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "layerfs-registry-" });
    try {
      await Deno.mkdir(`${directory}/certificates`);
      if (options.tls) await makeCertificates(directory);
      if (options.user) {
        const { name, password } = options.user;
        const line = await must(["htpasswd", "-Bbn", name, password]);
        await Deno.writeTextFile(`${directory}/htpasswd`, line);
      }
      return await RegistryServer.#launch(directory, options);
    } catch (error) {
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  /** Where the registry keeps a blob. */
  blobPath(digest: string): string {
    const [algorithm, hex = ""] = digest.split(":");
    return `${this.#directory}/storage/docker/registry/v2/blobs/${algorithm}/${
      hex.slice(0, 2)
    }/${hex}/data`;
  }

  /**
   * How many uploads to a repository have neither come to their end nor been given up. (Of those that
   * have been, Distribution 2.8 keeps the state of its hash.)
   */
  async uploads(repository: string): Promise<number> {
    const base = `${this.#directory}/storage/docker/registry/v2/repositories`;
    const found = await must(["find", `${base}/${repository}/_uploads`, "-name", "startedat"]);
    return found.split("\n").length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await Deno.remove(this.#directory, { recursive: true });
  }

  /** Another process may take the port between our look and its start: then another one. */
  static async #launch(directory: string, options: RegistryServerOptions): Promise<RegistryServer> {
    for (let tries = 1;; tries++) {
      const port = freePort();
      const host = `127.0.0.1:${port}`;
      await Deno.writeTextFile(`${directory}/config.yml`, configuration(directory, host, options));
      // Through the shell, so that what it says goes to a file that nobody has to read all the time.
      const script = 'exec docker-registry serve "$1/config.yml" >"$1/log" 2>&1';
      const child = start(["sh", "-c", script, "sh", directory]);
      if (await answers(child, port)) return new RegistryServer(child, directory, host);
      await end(child);
      if (tries < 5) continue;
      throw new Error(`docker-registry: ${await Deno.readTextFile(`${directory}/log`)}`);
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Whether the process listens before it ends, or before our patience does. */
async function answers(child: Deno.ChildProcess, port: number): Promise<boolean> {
  let ended = false;
  child.status.then(() => ended = true);
  const deadline = performance.now() + PATIENCE;
  while (!ended && performance.now() < deadline) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return false;
}

/** Ends it, and lets go of its pipes. */
async function end(child: Deno.ChildProcess): Promise<void> {
  kill(child);
  await child.output();
}

/** The registry's configuration, as distribution's docs/configuration.md has it. JSON is YAML. */
function configuration(directory: string, host: string, options: RegistryServerOptions): string {
  return JSON.stringify({
    version: "0.1",
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: `${directory}/storage` }, delete: { enabled: true } },
    http: {
      addr: host,
      ...(options.tls
        ? { tls: { certificate: `${directory}/server.pem`, key: `${directory}/server.key` } }
        : {}),
    },
    ...(options.user
      ? { auth: { htpasswd: { realm: "layerfs tests", path: `${directory}/htpasswd` } } }
      : {}),
  });
}

/** An authority, and a certificate of its for the loopback interface. */
async function makeCertificates(directory: string): Promise<void> {
  const at = (name: string) => `${directory}/${name}`;
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await must([
    ...["openssl", "req", "-x509", ...key, "-keyout", at("ca.key")],
    ...["-out", at("certificates/ca.crt"), "-days", "2", "-subj", "/CN=layerfs tests"],
  ]);
  await must([
    ...["openssl", "req", ...key, "-keyout", at("server.key"), "-out", at("server.csr")],
    ...["-subj", "/CN=localhost"],
  ]);
  await Deno.writeTextFile(at("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  await must([
    ...["openssl", "x509", "-req", "-in", at("server.csr"), "-CA", at("certificates/ca.crt")],
    ...["-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2"],
    ...["-extfile", at("names"), "-out", at("server.pem")],
  ]);
}
