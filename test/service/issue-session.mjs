/**
 * Makes a session of a role as AssumeRole does, with whatever is in it, by the token of a service:
 *
 *   node issue-session.mjs DIST DATA-DIR SESSION         prints credentials as JSON
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, dataDir, session] = process.argv.slice(2);
const load = (module) => import(pathToFileURL(join(modules, module)).href);

const { loadSettings } = await load('config/load-settings.js');
const { dataDirectory } = await load('server/data-directory.js');
const { openOwnToken } = await load('server/own-token.js');
const { Sealer } = await load('token/sealing.js');
const { Sessions } = await load('authorization/sessions/sessions.js');

const { settings } = loadSettings({ flags: { dataDir }, environment: process.env });
const token = openOwnToken(settings, dataDirectory(settings), () => {});
const { issuedAt, expiresAt, ...facts } = JSON.parse(session);
const sessions = new Sessions(new Sealer(token));
const { accessKeyId, secretAccessKey, sessionToken } = await sessions.issue({
  tags: new Map(),
  transitiveTagKeys: [],
  policyArns: [],
  ...facts,
  issuedAt: new Date(issuedAt),
  expiresAt: new Date(expiresAt),
});
console.log(JSON.stringify({ accessKeyId, secretAccessKey, sessionToken }));
