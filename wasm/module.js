// TypeScript does not know source phase imports yet, hence JavaScript with module.d.ts beside it.
import source module from "./layerfs.wasm";

export default module;
