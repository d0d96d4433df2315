export { hashFinish, hashInit, hashUpdate } from "./hash";
