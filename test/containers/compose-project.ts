import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dockerCommand, whyNoEngine } from './engine.js';
import { projectRoot } from './image.js';
import { randomName } from './service-container.js';

const answers = ([command = '', ...words]: readonly string[]) => spawnSync(command, [...words, 'version']).status === 0;
const composeCommand = [[dockerCommand, 'compose'], ['docker-compose']].find(answers);
const run = promisify(execFile);

/** Why no project can be run on this machine; undefined when one can. Said on stderr as well. */
export function whyNoCompose(): string | undefined {
  const noEngine = whyNoEngine();
  if (noEngine || composeCommand) return noEngine;
  const why = 'there is neither docker compose nor docker-compose';
  console.warn(`skipped, tests with docker compose: ${why}`);
  return why;
}

/** A project of its own of the files in the clone. */
export class Project {
  private readonly name = randomName();
  /** By service; docker compose takes half a second to tell. */
  private readonly containers = new Map<string, string>();

  constructor(
    private readonly files: readonly string[],
    private readonly variables: Readonly<Record<string, string>>,
  ) {}

  /** Runs docker compose. @returns what it printed on stdout, trimmed @throws Error */
  async compose(...parameters: string[]): Promise<string> {
    const [command = '', ...words] = composeCommand ?? [];
    const files = this.files.flatMap((file) => ['--file', join(projectRoot, file)]);
    const { stdout } = await run(command, [...words, ...files, '--project-name', this.name, ...parameters], {
      cwd: projectRoot,
      env: { ...process.env, ...this.variables },
    });
    return stdout.trim();
  }

  async up(): Promise<void> {
    this.containers.clear();
    await this.compose('up', '--detach', '--no-build');
  }

  /** The id of a service's container, the same until the next `up`. */
  async container(service: string): Promise<string> {
    const container = this.containers.get(service) ?? (await this.compose('ps', '--quiet', service));
    this.containers.set(service, container);
    return container;
  }

  async remove(): Promise<void> {
    await this.compose('down', '--volumes');
  }
}
