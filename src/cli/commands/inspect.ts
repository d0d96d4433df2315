/**
 * `layerfs inspect`.
 *
 * @module
 */

import { inspectContainer, inspectImage } from "../../container/inspect.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { parseReference } from "../../oci/reference.ts";
import type { SPECS } from "../specs.ts";

/** Shows an image or a container as JSON, with `--json` and without. */
export async function inspect(
  { values, operands }: Input<(typeof SPECS)["inspect"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const subject = operands[0] ?? "";
  const document = isImage(subject)
    ? await inspectImage(subject, values.platform)
    : await inspectContainer(context.store(), subject);
  return { document, text: JSON.stringify(document, null, 2) + "\n" };
}

/** A container's name has no colon, so that whatever names a transport is an image. */
function isImage(subject: string): boolean {
  return subject.includes(":") && parseReference(subject).transport !== "store";
}
