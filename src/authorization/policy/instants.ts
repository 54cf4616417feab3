/** The W3C profile of ISO 8601: a year, a month, a day, or a time with its zone. */
const iso8601 =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/;

/** Seconds since 1970. */
const epochSeconds = /^\d{1,11}(?:\.\d{1,9})?$/;

/**
 * Reads an ISO 8601 date or Unix time as milliseconds since 1970. Four digits are a year.
 *
 * @returns undefined when it is neither, or a day that no calendar has
 * @see https://www.w3.org/TR/NOTE-datetime
 */
export function parseInstant(text: string): number | undefined {
  const parts = iso8601.exec(text);
  if (!parts) return epochSeconds.test(text) ? Number(text) * 1000 : undefined;
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '0', zone = 'Z'] =
    parts;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // An impossible month or day rolls over into another one.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const offset = minutesOf(zone);
  if (offset === undefined) return undefined;
  const minutes = Number(hour) * 60 + Number(minute) - offset;
  return date.getTime() + minutes * 60_000 + Number(`${second}.${fraction}`) * 1000;
}

/** Minutes east of Greenwich. */
function minutesOf(zone: string): number | undefined {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes);
}
