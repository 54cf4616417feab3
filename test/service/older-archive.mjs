/**
 * Makes of an archive what a version from before there were seals and revisions would have written, sealed by the token:
 *
 *   node older-archive.mjs DIST DATA-DIR ARCHIVE OLDER
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, dataDir, archive, older] = process.argv.slice(2);
const load = (module) => import(pathToFileURL(join(modules, module)).href);
const { loadSettings } = await load('config/load-settings.js');
const { withOwnToken } = await load('server/backup/back-up.js');
const { readArchive } = await load('server/backup/read-archive.js');
const { writeArchive } = await load('server/backup/write-archive.js');
const { sealed } = await load('server/backup/archive.js');

const pages = [];
const { header } = await readArchive(archive, (page) => {
  const rows = page.rows.map(({ seal, ...row }) => row);
  if (page.table !== 'store_revision') pages.push({ table: page.table, rows });
});
const olderHeader = {
  ...header,
  migrations: header.migrations.filter((name) => name < '0005'),
  tables: header.tables.filter(({ table }) => table !== 'store_revision'),
};
const { settings } = loadSettings({ flags: { dataDir }, environment: process.env });
await withOwnToken(settings, console.error, (_token, sealer) =>
  writeArchive(older, olderHeader, pages, (digest) => sealed(sealer, digest)),
);
process.exit();
