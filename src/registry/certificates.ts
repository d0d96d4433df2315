/**
 * Certificates of a registry's own: authorities that vouch for it, and a client's certificate
 * (containers-certs.d(5)).
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { LayerfsError } from "../errors.ts";
import { listSettings, readSettingsFile } from "./settings_file.ts";

/** What a connection to a registry needs beside the authorities that everybody trusts. */
export interface Certificates {
  /** Authorities in PEM, on top of the usual ones. */
  readonly authorities: readonly string[];
  /** The client's certificate and its key, in PEM. */
  readonly client?: { readonly cert: string; readonly key: string };
}

/**
 * Reads a directory of certificates: `*.crt` are authorities, `NAME.cert` with `NAME.key` is the
 * client. Null where it has none of these, or does not exist.
 *
 * @throws {LayerfsError} `usage` for what is not PEM, a certificate without its key, or two clients
 */
export async function readCertificates(directory: string): Promise<Certificates | null> {
  const authorities: string[] = [];
  for (const name of await listSettings(directory, ".crt")) {
    authorities.push(await readPem(`${directory}/${name}`));
  }
  const [cert, ...others] = await listSettings(directory, ".cert");
  if (others.length > 0) throw wrong(directory, "it has several *.cert; a registry takes one");
  const keys = await listSettings(directory, ".key");
  if (cert === undefined) {
    if (keys.length > 0) throw wrong(directory, `"${keys[0]}" has no certificate beside it`);
    return authorities.length === 0 ? null : { authorities };
  }
  const key = await readSettingsFile(`${directory}/${cert.replace(/\.cert$/, ".key")}`);
  if (key === null) throw wrong(directory, `"${cert}" has no key (*.key) beside it`);
  return { authorities, client: { cert: await readPem(`${directory}/${cert}`), key } };
}

async function readPem(path: string): Promise<string> {
  const text = await readSettingsFile(path) ?? "";
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw wrong(path, "it has no certificate in PEM");
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch {
    throw wrong(path, "it has a certificate that cannot be read");
  }
  return text;
}

function wrong(path: string, state: string): LayerfsError {
  return new LayerfsError("usage", `Cannot use certificates of "${path}": ${state}`);
}
