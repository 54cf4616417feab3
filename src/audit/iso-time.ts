let second = 0;
let prefix = '1970-01-01T00:00:00.';

/** ISO 8601 in UTC with milliseconds; what is the same for a second is made once. @param milliseconds since the epoch */
export function isoTime(milliseconds: number): string {
  const whole = Math.floor(milliseconds / 1000);
  if (whole !== second) {
    second = whole;
    prefix = new Date(whole * 1000).toISOString().slice(0, 20);
  }
  const rest = milliseconds - whole * 1000;
  return `${prefix}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
}
