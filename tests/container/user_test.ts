import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { lookupUser } from "../../src/container/user.ts";
import { LayerfsError } from "../../src/errors.ts";
import { MAX_ACCOUNTS_BYTES } from "../../src/limits.ts";
import { run } from "../../src/process.ts";

const PASSWD = "root:x:0:0:root:/root:/bin/sh\n" +
  "web:x:33:44:Wéb:/var/www:/bin/sh\n" +
  "web:x:1:1:second:/other:/bin/sh\n" +
  "short:x:7:8\n" +
  "4294967296:x:0:0:evil:/root:/bin/sh\n" +
  "dos:x:70:71::/dos:/bin/sh\r\n" +
  "large:x:4294967296:0:::\n";
const GROUP = "root:x:0:\nweb:x:44:web\nextra:x:55:web,short\nagain:x:55:web\n" +
  "broken:x:-1:web\nadm:x:4:root\n";

/** A root filesystem with these files; the directory beside it is outside. */
async function withRoot(
  files: Record<string, string>,
  use: (root: string, outside: string) => void | Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const [root, outside] = [`${dir}/rootfs`, `${dir}/outside`];
  try {
    await Deno.mkdir(`${root}/etc`, { recursive: true });
    await Deno.mkdir(outside);
    for (const [path, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    await use(root, outside);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const ACCOUNTS = { "etc/passwd": PASSWD, "etc/group": GROUP };

function refused(root: string, user: string, says: string): void {
  const error = assertThrows(() => lookupUser(root, user), LayerfsError);
  assertEquals(error.code, "image-invalid");
  assertStringIncludes(error.message, JSON.stringify(user));
  assertStringIncludes(error.message, says);
}

Deno.test("users are found as conversion.md has them", () =>
  withRoot(ACCOUNTS, (root) => {
    const cases: [string, number, number, number[], string | null][] = [
      ["", 0, 0, [], null],
      ["0", 0, 0, [4], "/root"],
      ["root", 0, 0, [4], "/root"],
      ["web", 33, 44, [55], "/var/www"],
      ["33", 33, 44, [55], "/var/www"],
      ["033", 33, 44, [55], "/var/www"],
      ["short", 7, 8, [55], ""],
      ["dos", 70, 71, [], "/dos"],
      ["1234", 1234, 0, [], null],
      ["web:extra", 33, 55, [], "/var/www"],
      ["web:0", 33, 0, [], "/var/www"],
      ["1234:web", 1234, 44, [], null],
      ["4294967294:4294967294", 4294967294, 4294967294, [], null],
    ];
    for (const [user, uid, gid, additionalGids, home] of cases) {
      assertEquals(lookupUser(root, user), { uid, gid, additionalGids, home }, user);
    }
  }));

Deno.test("users that are not there, or not users, are refused", () =>
  withRoot(ACCOUNTS, (root) => {
    refused(root, "nobody", '/etc/passwd of the root filesystem has no "nobody"');
    refused(root, "web:nobody", '/etc/group of the root filesystem has no "nobody"');
    refused(root, "web:broken", "/etc/group has an id");
    for (const user of [":", "web:", ":web", "a:b:c"]) refused(root, user, "USER[:GROUP]");
  }));

Deno.test("a number too large is refused, and never a name (CVE-2024-40635, CVE-2026-46680)", () =>
  withRoot(ACCOUNTS, (root) => {
    for (
      const id of ["4294967295", "4294967296", "18446744073709551616", "-1", "+1", "1".repeat(99)]
    ) {
      refused(root, id, "is not from 0 to 4294967294");
      refused(root, `0:${id}`, "is not from 0 to 4294967294");
    }
    refused(root, "large", "user id that is not a number");
  }));

Deno.test("a caller's own choice is a usage error", () =>
  withRoot(ACCOUNTS, (root) => {
    const error = assertThrows(() => lookupUser(root, "nobody", "usage"), LayerfsError);
    assertEquals(error.code, "usage");
  }));

Deno.test("numbers need no accounts", () =>
  withRoot({}, (root) => {
    assertEquals(lookupUser(root, "5:6"), { uid: 5, gid: 6, additionalGids: [], home: null });
    refused(root, "web", "/etc/passwd");
  }));

Deno.test("accounts behind symlinks are those inside the root", () =>
  withRoot({}, async (root, outside) => {
    await Deno.writeTextFile(`${outside}/passwd`, "evil:x:0:0::/:/bin/sh\n");
    await Deno.mkdir(`${root}/usr`);
    await Deno.writeTextFile(`${root}/usr/passwd`, "web:x:33:44::/:/bin/sh\n");
    const up = "../".repeat(40);
    for (const target of ["/usr/passwd", `${up}usr/passwd`, "../usr/passwd"]) {
      await Deno.symlink(target, `${root}/etc/passwd`);
      assertEquals(lookupUser(root, "web").uid, 33);
      await Deno.remove(`${root}/etc/passwd`);
    }
    for (const target of [`${outside}/passwd`, `${up}${outside}/passwd`, "/etc/passwd"]) {
      await Deno.symlink(target, `${root}/etc/passwd`);
      refused(root, "evil", "/etc/passwd");
      await Deno.remove(`${root}/etc/passwd`);
    }
  }));

Deno.test("the host's own accounts are never read", () =>
  withRoot({}, async (root) => {
    await Deno.symlink("/etc/passwd", `${root}/etc/shadow`);
    refused(root, "daemon", "/etc/passwd of the root filesystem has no");
  }));

Deno.test("accounts that are a FIFO, a directory or endless are refused", () =>
  withRoot({}, async (root) => {
    await run("mkfifo", [`${root}/etc/passwd`]);
    assertEquals(lookupUser(root, "5:6"), { uid: 5, gid: 6, additionalGids: [], home: null });
    refused(root, "5", "FIFO");
    refused(root, "web", "FIFO");
    await Deno.remove(`${root}/etc/passwd`);
    await Deno.mkdir(`${root}/etc/passwd`);
    refused(root, "web", "a directory");
    await Deno.remove(`${root}/etc/passwd`);
    await Deno.writeTextFile(`${root}/etc/passwd`, "web:x:1:1::/:/bin/sh\n");
    await Deno.truncate(`${root}/etc/passwd`, MAX_ACCOUNTS_BYTES + 1);
    refused(root, "web", `more than ${MAX_ACCOUNTS_BYTES}`);
  }));
