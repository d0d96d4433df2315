/** What an image can put into messages: nothing that drives the terminal that shows them. */

import { assertEquals, assertMatch } from "@std/assert";
import { imageLayout } from "../fixtures/image.ts";
import { dir, file, hardlink, tarball } from "../fixtures/tar.ts";
import { assertFails, create, GOOD_LAYER, prepared } from "./harness.ts";

// CSI colour, OSC title, cursor, C1 CSI, right-to-left override, a line of its own.
const EVIL = "a\x1b[31m\x1b]0;owned\x07\r\b\x9b2J\u202eb\nerror: all is well";
const SAFE = /^[^\p{Cc}\u202a-\u202e\u2066-\u2069]*$/u;

/** Registers a test: the image is refused in one harmless line. */
function harmless(name: string, members: readonly Uint8Array[], tag?: string): void {
  Deno.test(`rejected: ${name}, in a message of one plain line`, () =>
    prepared(async (w) => {
      const { reference } = imageLayout(`${w.dir}/image`, {
        layers: [{ tar: tarball(GOOD_LAYER) }, { tar: tarball(members) }],
        ...tag === undefined ? {} : { run: { User: tag } },
      });
      const error = await assertFails(() => create(w, reference), { code: "image-invalid" });
      assertMatch(error.message, SAFE);
    }));
}
harmless("an entry with control characters below a file", [file(EVIL), file(`${EVIL}/x`)]);
harmless("a climbing entry with control characters", [file(`../${EVIL}`)]);
harmless("a hard link to control characters", [hardlink("h", EVIL)]);
harmless("a hard link named in control characters", [hardlink(EVIL, "none")]);
harmless("a whiteout of control characters", [file(`${EVIL}/.wh.`)]);
harmless("pax records of control characters", [file("x", "", { pax: { uid: EVIL } })]);
harmless("control characters before a wrong checksum", [
  file(EVIL.slice(0, 50), "", { checksumError: 1 }),
]);
harmless("a user of control characters", [file("x")], EVIL.replaceAll(":", ""));

Deno.test("accepted: warnings are plain lines", () =>
  prepared(async (w) => {
    const { reference } = imageLayout(`${w.dir}/image`, {
      layers: [{
        tar: tarball([
          file(EVIL.replaceAll("/", ""), "", { pax: { "SCHILY.xattr.user.overlay.x": "1" } }),
          dir("d", { pax: { [`SCHILY.xattr.user.overlay.${EVIL}`]: "1" } }),
        ]),
      }],
    });
    const result = await create(w, reference);
    const warnings = result.warnings.filter((warning) => warning.includes("overlay"));
    assertEquals(warnings.length, 2);
    for (const warning of warnings) assertMatch(warning, SAFE);
  }));
