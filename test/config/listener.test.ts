import { describe, expect, test } from '@jest/globals';
import { checkListener } from '../../src/config/listener.js';
import { loadSettings } from '../../src/config/load-settings.js';

const checked = (flags: Record<string, unknown>) => () => checkListener(loadSettings({ flags }).settings);

describe('plain HTTP', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('is served on %s', (host) => {
    expect(checked({ host })).not.toThrow();
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com'])('is not served on %s', (host) => {
    expect(checked({ host })).toThrow(/unencrypted: .*HSM_KMS_ALLOW_PLAIN_HTTP/);
    expect(checked({ host, allowPlainHttp: true })).not.toThrow();
  });
});
