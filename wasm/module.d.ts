/** The compiled WebAssembly module of layerfs: an instance of it is one hasher or tar scanner. */
declare const module: WebAssembly.Module;
export default module;
