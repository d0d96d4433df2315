/** A login, a pull and a logout with a credential helper, in a process whose PATH has one. */

import { LayerfsError } from "../../src/errors.ts";
import { Credentials } from "../../src/registry/credentials.ts";
import { login, logout } from "../../src/registry/login.ts";
import { findCredentials } from "../../src/registry/settings.ts";
import { FaultyRegistry } from "./faulty_registry.ts";
import { settingsFor } from "./harness.ts";

const [directory = "", password = ""] = Deno.args;
const file = `${directory}/auth.json`;
const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));

await using registry = new FaultyRegistry();
const { host } = registry;
await Deno.writeTextFile(file, JSON.stringify({ credHelpers: { [host]: "layerfs-test" } }));
const settings = settingsFor([host], { authFiles: [file] });

say(await login(host, Credentials.password("alice", password), settings));
const found = await findCredentials(settings, host, "a");
say(`${found?.username} ${found?.reveal() === password}`);
say(JSON.stringify(await logout(host, settings)));

// What it prints as it fails may be a secret.
await login(host, Credentials.password("alice", password), settings);
await Deno.writeTextFile(`${directory}/broken`, "");
await report(() => findCredentials(settings, host, "a"));
await Deno.writeTextFile(file, JSON.stringify({ credsStore: "other" }));
await report((): Promise<unknown> => findCredentials(settings, host, "a"));

/** Says how something failed. */
async function report(action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof LayerfsError)) throw error;
    say(`${error.code} ${error.data.flag ?? error.message}`);
  }
}
