/**
 * `layerfs inspect`.
 *
 * @module
 */

import {
  type ContainerDetails,
  describeImage,
  type ImageDetails,
  inspectContainer,
  inspectImage,
} from "../../container/inspect.ts";
import { getLayer, type LayerRow } from "../../container/layers.ts";
import { findSubject, isName } from "../../container/subject.ts";
import type { Context, Input, Outcome } from "../context.ts";
import { type RegistryAccess, registryAccess } from "../registry_access.ts";
import { imageHost } from "../registry_host.ts";
import type { SPECS } from "../specs.ts";

/** Shows an image, a container or a layer as JSON, with `--json` and without. */
export async function inspect(
  { values, operands }: Input<(typeof SPECS)["inspect"]["options"]>,
  context: Context,
): Promise<Outcome> {
  const { platform } = values;
  const { registry } = registryAccess(values, context, () => imageHost(operands[0] ?? ""));
  const document = await find(operands[0] ?? "", { platform, registry }, context);
  const warnings = "warnings" in document ? document.warnings : undefined;
  return {
    document,
    text: JSON.stringify(document, null, 2) + "\n",
    ...(warnings === undefined ? {} : { warnings }),
  };
}

async function find(
  subject: string,
  how: { readonly platform: string | undefined } & RegistryAccess,
  context: Context,
): Promise<ContainerDetails | ImageDetails | LayerRow> {
  // An image elsewhere takes no store, nor what it takes to find one.
  if (!isName(subject)) return await inspectImage(subject, how);
  const store = context.store();
  const found = await findSubject({ store: store.store, ...how }, subject);
  switch (found.kind) {
    case "layer":
      return await getLayer(store, found.chainId);
    case "container":
      return inspectContainer(store, found.container.id);
    case "image":
      return describeImage(found.image);
  }
}
