/** The compiled WebAssembly module of SHA-256 side by side: an instance of it is all streams. */
declare const module: WebAssembly.Module;
export default module;
