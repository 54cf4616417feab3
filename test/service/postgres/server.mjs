/* A real PostgreSQL server for tests. JavaScript, as what runs before jest does needs it, too. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../free-port.mjs';

/** How long it may take to answer after its start, in milliseconds. */
const patience = 120_000;
/** Where Debian puts the server's programs: they are not in the path. */
const debian = '/usr/lib/postgresql';

/** The directory of initdb and postgres, the newest; undefined where PostgreSQL is not installed. */
function programs() {
  const versions = existsSync(debian) ? readdirSync(debian).toSorted((a, b) => Number(b) - Number(a)) : [];
  const places = [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return places.find((place) => existsSync(join(place, 'initdb')) && existsSync(join(place, 'postgres')));
}

/** Why there can be no server here; undefined when there can. */
export function whyNoPostgres() {
  return programs() === undefined ? 'PostgreSQL is not installed. Type: apt-get install postgresql' : undefined;
}

/** A PostgreSQL server on a free port of this machine, in a directory of its own. */
export class TestPostgres {
  #programs;
  #directory;
  #server;

  /** @throws Error when PostgreSQL is not installed */
  static async start() {
    const place = programs();
    if (place === undefined) throw new Error(whyNoPostgres());
    const server = new TestPostgres();
    server.#programs = place;
    server.#directory = mkdtempSync(join(tmpdir(), 'hsm-kms-postgres-'));
    giveToServer(server.#directory);
    const initialise = [
      '--pgdata',
      'data',
      '--username',
      'hsm_kms',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--no-sync',
    ];
    execFileSync(...asServer(join(place, 'initdb'), initialise), { stdio: 'pipe', cwd: server.#directory });
    server.port = await freePort();
    await server.run();
    return server;
  }

  /** Starts the server, also after `kill`, and waits until it answers. */
  async run() {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: this.port,
      unix_socket_directories: this.#directory,
      max_connections: 300,
      // it is killed here, and the machine below it never
      fsync: 'off',
    };
    const parameters = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const program = asServer(join(this.#programs, 'postgres'), ['-D', join(this.#directory, 'data'), ...parameters]);
    this.#server = spawn(...program, { stdio: 'ignore', cwd: this.#directory });
    for (const end = Date.now() + patience; ; await wait(50)) {
      try {
        return await this.execute('postgres', 'select 1');
      } catch (error) {
        // a server that could not start does not answer later either
        if (Date.now() > end || this.#server.exitCode !== null) throw error;
      }
    }
  }

  /** postgres:// URL of a database of the server. */
  url(database) {
    return `postgres://hsm_kms@127.0.0.1:${this.port}/${database}`;
  }

  /** A new database. @returns its URL */
  async createDatabase(name = `test_${randomBytes(6).toString('hex')}`) {
    await this.execute('postgres', `create database ${name}`);
    return this.url(name);
  }

  async execute(database, statement) {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(statement)).rows;
    } finally {
      await client.end();
    }
  }

  /** From now on it speaks TLS, and lets a role in with its password only, and over TLS only. */
  async demandTls(role, { certificate, key }) {
    const data = join(this.#directory, 'data');
    for (const [file, name] of [
      [certificate, 'server.crt'],
      [key, 'server.key'],
    ]) {
      copyFileSync(file, join(data, name));
      giveToServer(join(data, name), 0o600);
    }
    const rules = readFileSync(join(data, 'pg_hba.conf'), 'utf8');
    const first = `hostssl all ${role} all scram-sha-256\nhost all ${role} all reject\n`;
    writeFileSync(join(data, 'pg_hba.conf'), first + rules);
    await this.execute('postgres', 'alter system set ssl = on');
    await this.execute('postgres', 'select pg_reload_conf()');
  }

  /** A server that follows this one, which answers no commit from now on before the other has it. */
  async standby() {
    const standby = new TestPostgres();
    standby.#programs = this.#programs;
    standby.#directory = mkdtempSync(join(tmpdir(), 'hsm-kms-standby-'));
    giveToServer(standby.#directory);
    const source = `postgres://hsm_kms@127.0.0.1:${this.port}/postgres?application_name=standby`;
    const copy = ['--pgdata', 'data', '--write-recovery-conf', '--checkpoint=fast', '--no-sync', `--dbname=${source}`];
    execFileSync(...asServer(join(this.#programs, 'pg_basebackup'), copy), { stdio: 'pipe', cwd: standby.#directory });
    standby.port = await freePort();
    await standby.run();
    await this.execute('postgres', "alter system set synchronous_standby_names = 'standby'");
    await this.execute('postgres', 'select pg_reload_conf()');
    return standby;
  }

  /** Makes of a standby the server that is written to. */
  async promote() {
    await this.execute('postgres', 'alter system reset synchronous_standby_names');
    await this.execute('postgres', 'select pg_reload_conf(), pg_promote()');
  }

  /** Ends the server as a crash of its machine does. */
  kill() {
    return this.#end('SIGKILL');
  }

  /** Ends the server in order: connections are told. */
  shutDown() {
    return this.#end('SIGINT');
  }

  /** Ends the server, and removes all its databases. */
  async stop() {
    await this.shutDown();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #end(signal) {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    // runuser hands no signal on to what it runs: the server tells its own process id
    const [pid] = readFileSync(join(this.#directory, 'data', 'postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), signal);
    await ended;
  }
}

/** PostgreSQL does not run as root: then as the user that Debian's package makes. */
function asServer(program, parameters) {
  return process.geteuid?.() === 0
    ? ['runuser', ['-u', 'postgres', '--', program, ...parameters]]
    : [program, parameters];
}

function giveToServer(path, mode = 0o755) {
  chmodSync(path, mode);
  if (process.geteuid?.() !== 0) return;
  const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  chownSync(path, id('-u'), id('-g'));
}
