/** Where a request came from, as its connection and headers say. */
export interface RequestSource {
  /** Address of the other end of the connection; IPv4 as such, also on a socket that takes both. */
  readonly ip: string;
  /** True when it came over TLS. */
  readonly secureTransport: boolean;
  readonly userAgent: string | undefined;
  readonly referer: string | undefined;
}
