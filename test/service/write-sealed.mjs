/**
 * One statement on what is sealed in a store, and the seals that fit it, in one transaction: a service
 * that runs never meets the one without the other. Prints the rows.
 *
 *   node write-sealed.mjs BUILD DATA-DIR < {"statement": ..., "values": [...]}
 */
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { CompiledQuery } from 'kysely';

const [build, dataDir] = process.argv.slice(2);
const load = (module) => import(pathToFileURL(join(build, module)).href);
const { loadSettings } = await load('config/load-settings.js');
const { dataDirectory } = await load('server/data-directory.js');
const { openOwnToken } = await load('server/own-token.js');
const { checkSeals } = await load('server/sealed-store.js');
const { openStore } = await load('server/store-of-settings.js');
const { sealAll } = await load('store/seal/whole-store.js');

const { statement, values } = JSON.parse(await text(process.stdin));
const { settings } = loadSettings({ flags: { dataDir }, environment: process.env });
const store = await openStore(settings);
const token = openOwnToken(settings, dataDirectory(settings), console.error);
checkSeals({ token, store });
// not what the service does: nobody has to vouch for what is written here
const rows = await store.revise(async (transaction, { revision }) => {
  const { rows } = await transaction.executeQuery(CompiledQuery.raw(statement, values));
  const { committed } = await sealAll(transaction, store.seals, revision);
  return { result: rows, committed };
});
console.log(JSON.stringify(rows));
await token.close();
await store.close();
