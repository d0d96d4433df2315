/**
 * The user that a container runs as: `Config.User` looked up in the container's own accounts
 * (image-spec conversion.md, "Config.User", and config.md, "User").
 *
 * The accounts are those of the root filesystem, never the host's: /etc/passwd and /etc/group are
 * found as a process inside would find them, so that no symlink leads out (CVE-2024-9676), and must
 * be regular files of a sensible size. A number is a number: one too large is refused, and never
 * looked up as a name (CVE-2024-40635, CVE-2026-46680).
 *
 * @example
 * ```ts
 * import { lookupUser } from "./user.ts";
 *
 * const rootfs = Deno.makeTempDirSync();
 * Deno.mkdirSync(`${rootfs}/etc`);
 * Deno.writeTextFileSync(`${rootfs}/etc/passwd`, "web:x:33:44::/srv:/bin/sh\\n");
 * console.assert(lookupUser(rootfs, "web").gid === 44);
 * Deno.removeSync(rootfs, { recursive: true });
 * ```
 *
 * @module
 */

import { openRegularFile } from "../blob/location.ts";
import { type ErrorCode, LayerfsError } from "../errors.ts";
import { readAt } from "../files.ts";
import { resolveInRoot } from "../layer/root_path.ts";
import { MAX_ACCOUNTS_BYTES } from "../limits.ts";
import { storageError } from "../system_error.ts";

/** The ids of a process, as numbers of the container's user namespace. */
export interface ContainerUser {
  /** From 0 to 2^32-2. */
  readonly uid: number;
  /** The primary group; likewise. */
  readonly gid: number;
  /** Groups that /etc/group gives the user, in its order; none where a group was asked for. */
  readonly additionalGids: readonly number[];
  /** The user's home directory as /etc/passwd has it; null where it has no such user. */
  readonly home: string | null;
}

/** A line of /etc/passwd (passwd(5)), as text but for the ids. */
interface Account {
  readonly name: string;
  /** Null where it is not an id: such an account can be found, but not used. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly home: string;
}

/** A line of /etc/group (group(5)). */
interface Group {
  readonly name: string;
  readonly gid: number | null;
  readonly members: readonly string[];
}

/** The largest id. 2^32-1 is (uid_t) -1, which setuid(2) takes for "leave it as it is". */
const MAX_ID = 2 ** 32 - 2;

/**
 * Looks `user` up in the accounts of `rootfs`.
 *
 * Nothing is 0:0. A number is taken as it is; where /etc/passwd has it, its group and the groups of
 * its name come along, as for a name. A group that is given is the only one.
 *
 * @param rootfs absolute path of a tree that nobody else can change meanwhile
 * @param user `user`, `uid`, `user:group`, `uid:gid`, `uid:group`, `user:gid`, or ""
 * @param code of the errors: `usage` where the caller, not the image, has named the user
 * @throws {LayerfsError} with `code` for a user or group that is not there, not an id, or whose
 * accounts cannot be read
 */
export function lookupUser(
  rootfs: string,
  user: string,
  code: ErrorCode = "image-invalid",
): ContainerUser {
  const refuse: Refuse = (state) =>
    new LayerfsError(code, `Cannot use user ${JSON.stringify(user)}: ${state}`, { user });
  const [userName = "", groupName, ...rest] = user.split(":");
  const malformed = rest.length > 0 || groupName === "" || (userName === "" && user !== "");
  if (malformed) throw refuse("it is not of the form USER[:GROUP]");
  const read = (path: string): string => {
    const { text, problem } = readAccounts(rootfs, path);
    if (problem !== null) throw refuse(problem);
    return text;
  };

  // Of two numbers only the home directory is left to be found: not worth a refusal.
  const passwd = () =>
    isNumber(userName) && isNumber(groupName ?? "")
      ? readAccounts(rootfs, "/etc/passwd").text
      : read("/etc/passwd");
  const account = user === "" ? null : findAccount(userName, passwd(), refuse);
  const uid = account?.uid ?? 0;
  const home = account?.home ?? null;
  if (groupName !== undefined) {
    const gid = findGroup(groupName, () => parseGroups(read("/etc/group")), refuse);
    return { uid, gid, additionalGids: [], home };
  }
  const gid = account?.gid ?? 0;
  const name = account?.name ?? "";
  const additionalGids = name === "" ? [] : groupsOf(name, gid, parseGroups(read("/etc/group")));
  return { uid, gid, additionalGids, home };
}

/** Makes an error of a state. */
type Refuse = (state: string) => LayerfsError;

/** The account that `user`, a name or number, means; "" as name where passwd has no such number. */
function findAccount(
  user: string,
  passwd: string,
  refuse: Refuse,
): { name: string; uid: number; gid: number; home: string | null } {
  const wanted = asId(user, "user id", refuse);
  const found = parsePasswd(passwd).find((account) =>
    wanted === null ? account.name === user : account.uid === wanted
  );
  if (found === undefined) {
    if (wanted === null) throw refuse(`/etc/passwd of the root filesystem has no "${user}"`);
    return { name: "", uid: wanted, gid: 0, home: null };
  }
  const { name, uid, gid, home } = found;
  if (uid !== null && gid !== null) return { name, uid, gid, home };
  throw refuse(
    `its line in /etc/passwd has a ${uid === null ? "user" : "group"} id that is not a number ` +
      `from 0 to ${MAX_ID}`,
  );
}

/** The id of `group`, a name or number. */
function findGroup(group: string, groups: () => readonly Group[], refuse: Refuse): number {
  const wanted = asId(group, "group id", refuse);
  if (wanted !== null) return wanted;
  const found = groups().find(({ name }) => name === group);
  if (found === undefined) throw refuse(`/etc/group of the root filesystem has no "${group}"`);
  if (found.gid !== null) return found.gid;
  throw refuse(`the line of "${group}" in /etc/group has an id that is not from 0 to ${MAX_ID}`);
}

/** The groups that have the user `name` as a member, without its own. */
function groupsOf(name: string, own: number, groups: readonly Group[]): number[] {
  const gids = groups
    .filter(({ members }) => members.includes(name))
    .flatMap(({ gid }) => gid === null || gid === own ? [] : [gid]);
  return [...new Set(gids)];
}

/** A number as an id, or null for a name. What looks like a number is never a name. */
function asId(text: string, what: string, refuse: Refuse): number | null {
  if (!isNumber(text)) return null;
  const id = toId(text);
  if (id === null) throw refuse(`the ${what} "${text}" is not from 0 to ${MAX_ID}`);
  return id;
}

function isNumber(text: string): boolean {
  return /^[-+]?\d+$/.test(text);
}

/** Digits as an id; null for anything else, larger numbers included. */
function toId(text: string): number | null {
  if (!/^\d+$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}

/** Lines with too few fields, comments and NIS entries (+, -) are nobody. */
function parsePasswd(text: string): Account[] {
  return lines(text, 4).map(([name = "", , uid = "", gid = "", , home = ""]) => ({
    name,
    uid: toId(uid),
    gid: toId(gid),
    home,
  }));
}

function parseGroups(text: string): Group[] {
  return lines(text, 3).map(([name = "", , gid = "", members = ""]) => ({
    name,
    gid: toId(gid),
    members: members.split(","),
  }));
}

/** The fields of each line that has `least` of them, and a name. */
function lines(text: string, least: number): string[][] {
  return text.split("\n").map((line) => line.trim()).filter((line) => !/^[#+-]/.test(line))
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= least && fields[0] !== "");
}

/**
 * The text of `path` in the root filesystem, "" where it is not there; or why it cannot be accounts.
 */
function readAccounts(rootfs: string, path: string): { text: string; problem: string | null } {
  const unfit = (state: string) => ({
    text: "",
    problem: `${path} of the root filesystem cannot be read: ${state}`,
  });
  let opened: { file: Deno.FsFile; size: number };
  try {
    opened = openRegularFile(resolveInRoot(rootfs, path));
  } catch (error) {
    if (error instanceof LayerfsError && error.code === "not-found") {
      return { text: "", problem: null };
    }
    if (error instanceof LayerfsError && error.code === "image-invalid") {
      return unfit(error.message);
    }
    throw error;
  }
  const { file, size } = opened;
  try {
    if (size > MAX_ACCOUNTS_BYTES) {
      return unfit(`it has ${size} bytes, more than ${MAX_ACCOUNTS_BYTES}`);
    }
    const bytes = new Uint8Array(size);
    const text = bytes.subarray(0, readAt(file, bytes, 0));
    // Names in other encodings than UTF-8 stand in real ones: in comments, mostly.
    return { text: new TextDecoder().decode(text), problem: null };
  } catch (error) {
    throw storageError(error, `Cannot read ${path} of the root filesystem "${rootfs}"`);
  } finally {
    file.close();
  }
}
