// As module.js.
import source module from "./lanes.wasm";

export default module;
