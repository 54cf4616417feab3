/** How the page looks, on a screen and on paper. */
export const reportStyle = `
:root { color-scheme: light; --line: #c9ced6; --soft: #f3f5f8; --proven: #0b6b3a; --asserted: #1d4f91; --open: #7a5200; --failed: #a3161f; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 62rem; color: #16191f; background: #fff; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .7rem; padding-bottom: .25rem; border-bottom: 2px solid #16191f; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; }
code { font: 12px/1.45 ui-monospace, "Liberation Mono", Menlo, monospace; overflow-wrap: anywhere; }
pre { font: 11px/1.4 ui-monospace, "Liberation Mono", Menlo, monospace; background: var(--soft); padding: .6rem; margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 .8rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { font-size: .8rem; color: #4a5260; border-bottom-color: #16191f; }
table.facts th { width: 11rem; font-weight: 600; color: #4a5260; }
table.claims td:first-child { width: 8.5rem; }
td.number, th.number { text-align: right; padding-right: 1.2rem; white-space: nowrap; }
.verdict { display: inline-block; min-width: 7rem; padding: .05rem .5rem; border: 1.5px solid; border-radius: 3px; font-weight: 600; font-size: .85rem; text-align: center; white-space: nowrap; }
.proven { color: var(--proven); } .asserted { color: var(--asserted); } .open { color: var(--open); border-style: dashed; } .failed { color: #fff; background: var(--failed); border-color: var(--failed); }
.banner { border: 2px solid var(--proven); border-left-width: .8rem; padding: .8rem 1rem; margin: 1rem 0; }
.banner.bad { border-color: var(--failed); }
.banner strong { display: block; font-size: 1.2rem; }
.claim { font-weight: 600; } .because { color: #333a45; }
.good::before { content: "\\2713  "; color: var(--proven); } .bad-value::before { content: "\\2717  "; color: var(--failed); }
.note { color: #4a5260; font-size: .88em; }
table.attributes { table-layout: fixed; } table.attributes th:nth-child(1) { width: 29%; } table.attributes th:nth-child(2) { width: 33%; }
table.history { table-layout: fixed; } table.history th:nth-child(1) { width: 24%; } table.history th:nth-child(2) { width: 34%; }
@page { size: A4; margin: 16mm 14mm 18mm; @bottom-left { content: "hsm-kms evidence"; font: 8pt sans-serif; } @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; } }
@media print {
  body { padding: 0; max-width: none; font-size: 9.5pt; }
  section.key { break-before: page; }
  th, td { padding-top: .12rem; padding-bottom: .12rem; }
  h2 { margin-top: 0; }
  h3 { margin-top: .9rem; }
  code { font-size: 7.5pt; }
  tr, .banner, pre { break-inside: avoid; }
  thead { display: table-header-group; }
  h2, h3 { break-after: avoid; }
  .failed { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
