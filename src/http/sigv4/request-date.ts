import { KmsError } from '../../contract/kms-error.js';

/** What AWS's JSON services allow; its Query services and S3 allow 15. */
const SKEW_MINUTES = 5;
const SKEW = SKEW_MINUTES * 60_000;
const ISO_BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export interface RequestDate {
  /** Milliseconds since the epoch, whole seconds. */
  readonly time: number;
  /** YYYYMMDDTHHMMSSZ, as it stands in the string to sign. */
  readonly timestamp: string;
}

/** The X-Amz-Date that was read last: a second's requests have it in common, and reading one costs 4 us. */
let latest: RequestDate = { time: Number.NaN, timestamp: '' };

/**
 * The date that a request was signed for: X-Amz-Date (ISO 8601 basic), else Date (RFC 1123, or ISO 8601 basic).
 *
 * @throws KmsError IncompleteSignatureException if it is neither, or no day of the calendar
 */
export function parseRequestDate(amzDate: string | undefined, date: string | undefined): RequestDate {
  if (amzDate !== undefined && amzDate === latest.timestamp) return latest;
  const text = amzDate ?? date ?? '';
  const fields = ISO_BASIC.exec(text);
  if (fields !== null) {
    const [, year, month, day, hour, minute, second] = fields;
    const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    // V8 reads 30 February as 2 March.
    if (!Number.isNaN(time) && formatTimestamp(time) === text) {
      latest = { time, timestamp: text };
      return latest;
    }
  } else if (amzDate === undefined && text.length === 29) {
    const time = Date.parse(text);
    // toUTCString writes RFC 1123: what it does not give back is some other form that Date.parse guesses at.
    if (!Number.isNaN(time) && new Date(time).toUTCString() === text) return { time, timestamp: formatTimestamp(time) };
  }
  throw new KmsError(
    'IncompleteSignatureException',
    `Date must be in ISO-8601 'basic format'. Got '${text.slice(0, 32)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
  );
}

/**
 * Refuses a request signed more than 5 minutes from now, either way.
 *
 * @param now milliseconds since the epoch
 * @throws KmsError InvalidSignatureException: AWS's clients read it and correct their clock from our Date header
 */
export function checkSkew({ time, timestamp }: RequestDate, now: number): void {
  const second = now - (now % 1000);
  if (time < second - SKEW) {
    throw new KmsError(
      'InvalidSignatureException',
      `Signature expired: ${timestamp} is now earlier than ${formatTimestamp(second - SKEW)} ` +
        `(${formatTimestamp(second)} - ${SKEW_MINUTES} min.)`,
    );
  }
  if (time > second + SKEW) {
    throw new KmsError(
      'InvalidSignatureException',
      `Signature not yet current: ${timestamp} is still later than ${formatTimestamp(second + SKEW)} ` +
        `(${formatTimestamp(second)} + ${SKEW_MINUTES} min.)`,
    );
  }
}

/** Milliseconds since the epoch -> YYYYMMDDTHHMMSSZ. */
function formatTimestamp(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
