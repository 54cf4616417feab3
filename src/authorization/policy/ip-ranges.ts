import { isIPv4, isIPv6 } from 'node:net';

/** An address as 32-bit words: one of IPv4, four of IPv6. */
type Words = readonly number[];

/** A range of addresses in CIDR form. */
export interface IpRange {
  readonly words: Words;
  readonly masks: Words;
}

/**
 * Reads an address. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, as a dual-stack socket shows it) is IPv4.
 *
 * @returns undefined when it is no address
 */
export function parseIpAddress(text: string): Words | undefined {
  if (isIPv4(text)) return [ipv4Word(text)];
  // A zone (fe80::1%eth0) means something on one machine only.
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const words = ipv6Words(text);
  return isMapped(words) ? words.slice(3) : words;
}

/** Reads an address or a range; without a prefix length one address. Undefined when it is neither. */
export function parseIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const length = slash < 0 ? undefined : text.slice(slash + 1);
  if (length !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  if (isIPv4(address)) return range([ipv4Word(address)], length === undefined ? 32 : Number(length));
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const words = ipv6Words(address);
  const bits = length === undefined ? 128 : Number(length);
  return isMapped(words) && bits >= 96 ? range(words.slice(3), bits - 96) : range(words, bits);
}

/** Whether an address lies in a range of its own family. */
export function isInRange({ words, masks }: IpRange, address: Words): boolean {
  if (words.length !== address.length) return false;
  for (let at = 0; at < words.length; at++) {
    const mask = masks[at] as number;
    if (((address[at] as number) & mask) !== ((words[at] as number) & mask)) return false;
  }
  return true;
}

function range(words: Words, bits: number): IpRange | undefined {
  if (bits > words.length * 32) return undefined;
  return { words, masks: words.map((_, at) => maskOf(Math.min(Math.max(bits - at * 32, 0), 32))) };
}

/** A shift by 32 is a shift by 0 in JavaScript. */
function maskOf(bits: number): number {
  return bits === 0 ? 0 : -1 << (32 - bits);
}

function ipv4Word(text: string): number {
  let word = 0;
  for (const octet of text.split('.')) word = (word << 8) | Number(octet);
  return word >>> 0;
}

function ipv6Words(text: string): Words {
  const [head = '', tail] = text.split('::');
  const first = groupsOf(head);
  const last = tail === undefined ? [] : groupsOf(tail);
  const groups = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  const words: number[] = [];
  for (let at = 0; at < 8; at += 2) {
    words.push((((groups[at] as number) << 16) | (groups[at + 1] as number)) >>> 0);
  }
  return words;
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const word = ipv4Word(group);
    return [word >>> 16, word & 0xffff];
  });
}

function isMapped(words: Words): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}
