/**
 * Static Linux programs written byte by byte: one that prints a text and exits, for two machines.
 *
 * The file is its own memory image. The kernel maps it whole, read and execute, at BASE:
 *
 * ```text
 * 0x00  ELF header (64 bytes)       e_ident, machine, entry point
 * 0x40  program header 0 (56 bytes) PT_LOAD of the whole file
 * 0x78  program header 1 (56 bytes) PT_GNU_STACK: a stack that is not executable
 * 0xb0  code
 *       text
 * ```
 *
 * See elf(5), and the kernel's syscall tables for the numbers.
 *
 * @module
 */

/** Machines that a program can be written for, by their names in image configs. */
export type Machine = "amd64" | "arm64";

const HEADER_SIZE = 0x40;
const PROGRAM_HEADER_SIZE = 0x38;
const CODE_OFFSET = HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;
/** Where static programs usually are; above vm.mmap_min_addr. */
const BASE = 0x400000n;
/** A multiple of every page size: arm64 kernels have pages of up to 64 KiB. */
const ALIGNMENT = 0x10000n;

const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;
/** e_machine: EM_X86_64 and EM_AARCH64. */
const MACHINES: Readonly<Record<Machine, number>> = { amd64: 62, arm64: 183 };

/**
 * A program that writes `text` to its standard output and exits with 0, or with 1 if it could not
 * write.
 */
export function helloProgram(machine: Machine, text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const code = machine === "amd64" ? amd64Code(bytes.length) : arm64Code(bytes.length);
  const file = new Uint8Array(CODE_OFFSET + code.length + bytes.length);
  const view = new DataView(file.buffer);
  writeHeader(view, machine);
  const size = BigInt(file.length);
  writeSegment(view, HEADER_SIZE, PT_LOAD, PF_R | PF_X, { address: BASE, size, align: ALIGNMENT });
  writeSegment(view, HEADER_SIZE + PROGRAM_HEADER_SIZE, PT_GNU_STACK, PF_R | PF_W, {
    address: 0n,
    size: 0n,
    align: 16n,
  });
  file.set(code, CODE_OFFSET);
  file.set(bytes, CODE_OFFSET + code.length);
  return file;
}

function writeHeader(view: DataView, machine: Machine): void {
  // Magic; ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_SYSV.
  [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0].forEach((byte, i) => view.setUint8(i, byte));
  view.setUint16(0x10, ET_EXEC, true);
  view.setUint16(0x12, MACHINES[machine], true);
  view.setUint32(0x14, 1, true); // e_version
  view.setBigUint64(0x18, BASE + BigInt(CODE_OFFSET), true); // e_entry
  view.setBigUint64(0x20, BigInt(HEADER_SIZE), true); // e_phoff
  view.setUint16(0x34, HEADER_SIZE, true); // e_ehsize
  view.setUint16(0x36, PROGRAM_HEADER_SIZE, true); // e_phentsize
  view.setUint16(0x38, 2, true); // e_phnum
}

interface Segment {
  readonly address: bigint;
  /** Bytes from the start of the file, and in memory. */
  readonly size: bigint;
  readonly align: bigint;
}

function writeSegment(
  view: DataView,
  at: number,
  type: number,
  flags: number,
  segment: Segment,
): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 0x04, flags, true);
  view.setBigUint64(at + 0x08, 0n, true); // p_offset
  view.setBigUint64(at + 0x10, segment.address, true); // p_vaddr
  view.setBigUint64(at + 0x18, segment.address, true); // p_paddr
  view.setBigUint64(at + 0x20, segment.size, true); // p_filesz
  view.setBigUint64(at + 0x28, segment.size, true); // p_memsz
  view.setBigUint64(at + 0x30, segment.align, true); // p_align
}

/** The text follows the code. Syscalls: write is 1, exit is 60; the result is in rax. */
function amd64Code(length: number): Uint8Array {
  const size = [length & 0xff, length >> 8 & 0xff, length >> 16 & 0xff, length >> 24 & 0xff];
  const afterLea = [
    ...[0xba, ...size], // mov edx, length
    ...[0x0f, 0x05], // syscall
    ...[0x31, 0xff], // xor edi, edi
    ...[0x48, 0x85, 0xc0], // test rax, rax
    ...[0x40, 0x0f, 0x98, 0xc7], // sets dil
    ...[0xb8, 60, 0, 0, 0], // mov eax, 60
    ...[0x0f, 0x05], // syscall
  ];
  return new Uint8Array([
    ...[0xb8, 1, 0, 0, 0], // mov eax, 1
    ...[0xbf, 1, 0, 0, 0], // mov edi, 1
    // The displacement counts from the next instruction.
    ...[0x48, 0x8d, 0x35, afterLea.length, 0, 0, 0], // lea rsi, [rip + text]
    ...afterLea,
  ]);
}

/** Likewise. Syscalls: write is 64, exit is 93; the number is in x8, the result in x0. */
function arm64Code(length: number): Uint8Array {
  const movz = (register: number, value: number) => 0xd2800000 | value << 5 | register;
  const svc = 0xd4000001;
  const instructions = [
    movz(8, 64),
    movz(0, 1),
    0, // adr x1, text
    movz(2, length),
    svc,
    0xd37ffc00, // lsr x0, x0, #63: 1 where the result is negative
    movz(8, 93),
    svc,
  ];
  const adr = 2;
  // In words, from the adr itself; the two lowest bits of the distance are 0.
  instructions[adr] = 0x10000000 | (instructions.length - adr) << 5 | 1;
  const code = new Uint8Array(instructions.length * 4);
  const view = new DataView(code.buffer);
  instructions.forEach((instruction, i) => view.setUint32(i * 4, instruction, true));
  return code;
}
