import { certificatesIn, readTlsFiles, tlsFileNames } from '../tls-files.js';
import { type Check, error, type Finding, ok, orWell, some, warning } from './finding.js';

const day = 24 * 60 * 60 * 1000;
/** When a certificate that is not renewed becomes urgent, in days. */
const soon = 30;
const verySoon = 7;

export const tls: Check = {
  name: 'TLS',
  examine({ settings, now }) {
    const findings: Finding[] = [];
    if (readTlsFiles(settings, (what) => findings.push(warning(`${capitalised(what)}.`))) === undefined) {
      return [ok('The service does without TLS.')];
    }
    const ends: string[] = [];
    for (const [, file] of tlsFileNames(settings)) {
      for (const certificate of certificatesIn(file)) {
        const days = Math.floor((Date.parse(certificate.validTo) - now.getTime()) / day);
        const what = `The certificate ${certificate.subject.replaceAll('\n', ', ')} in ${file} is valid for ${days} days more.`;
        const toDo = 'renew it and put the new one there: the service reads it by itself';
        if (days < verySoon) findings.push(error(what, toDo));
        else if (days < soon) findings.push(warning(what, toDo));
        ends.push(`${days}`);
      }
    }
    return orWell(findings, `The certificates are valid for ${some(ends, 5)} days more.`);
  },
};

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
