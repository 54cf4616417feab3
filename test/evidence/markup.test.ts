import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { escaped, html, Markup, visible } from '../../src/evidence/markup.js';

test.each([
  ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  [`" onload='x' & y`, '&quot; onload=&#39;x&#39; &amp; y'],
  ['&lt;', '&amp;lt;'],
  ['a\u0000b\u001b[2Jc\u0085', 'a\\u{0}b\\u{1B}[2Jc\\u{85}'],
  ['user\u202Egpj.exe\u2066', 'user\\u{202E}gpj.exe\\u{2066}'],
  ['one\nother, ünï 😀', 'one\nother, ünï 😀'],
])('%j is written as %j', (text, written) => {
  expect(escaped(text)).toBe(written);
});

test('only what the template itself says is HTML, wherever the rest comes from', () => {
  const rows = ['<b>', 2, html`<i>${'<u>'}</i>`, undefined];
  expect(html`<p class="${'"x"'}">${rows}</p>`.text).toBe('<p class="&quot;x&quot;">&lt;b&gt;2<i>&lt;u&gt;</i></p>');
  expect(html`${new Markup('<hr>')}`.text).toBe('<hr>');
});

test('no text gets out of the place that it is put in', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(html`<p title="${text}">${text}</p>`.text).toMatch(/^<p title="[^"<>]*">[^<>]*<\/p>$/);
      expect(visible(text).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }),
  );
});
