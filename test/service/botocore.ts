import { spawnSync } from 'node:child_process';

/** What a Python expression comes to, printed; undefined where Python or a package that it imports is not installed. */
function python(script: string): string | undefined {
  const { status, stdout } = spawnSync('python3', ['-c', script], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Directory of botocore's data about KMS; undefined, with a warning, where botocore is not installed. */
export function botocoreKmsData(): string | undefined {
  const directory = python(
    'import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), "data", "kms", "2014-11-01"))',
  );
  if (directory === undefined)
    console.warn('SKIPPED: python3 has no botocore, so its published examples are not tried.');
  return directory;
}

/** Whether python3 has boto3; warns where it has not. */
export function hasBoto3(): boolean {
  const has = python('import boto3') !== undefined;
  if (!has) console.warn('SKIPPED: python3 has no boto3, so nothing is known of how its paginators get along here.');
  return has;
}
