import { newSecretAccessKey, uniqueId } from '../../authorization/iam/unique-ids.js';
import { oneOf, optional, text } from './flags.js';
import { accessKey, accessKeyLastUsed, timestamp } from './iam-output.js';
import { change, query, type Subcommand, subcommand } from './subcommand.js';

const userName = text('name', 'name of the user');
const owner = optional(text('name', 'name of the user whose it is'));
const accessKeyId = text('id', 'AKIA...');

export const accessKeySubcommands: readonly Subcommand[] = [
  subcommand(
    'create-access-key',
    'make an access key of a user and print it, this once, as a section of an AWS credentials file',
    {
      userName,
      profile: optional(text('name', 'name of the section; that of the user by default')),
      output: optional(oneOf(['credentials', 'json'], 'json for what the AWS CLI prints')),
    },
    async (session, values) => {
      const { userName: name, profile = name, output = 'credentials' } = values;
      if (!/^[^\][\p{Cc}]+$/u.test(profile)) throw new Error(`--profile ${profile} cannot be the name of a section.`);
      const id = uniqueId('AKIA');
      const secret = newSecretAccessKey();
      // the user first: making it known that it does not exist needs no token
      await session.read((iam) => iam.users.get(name));
      const sealed = await session.sealSecret(id, Buffer.from(secret));
      const at = await session.change(async (iam) => {
        await iam.accessKeys.create(name, id, sealed, iam.now);
        return iam.now;
      });
      if (output === 'credentials') {
        const lines = [`aws_access_key_id = ${id}`, `aws_secret_access_key = ${secret}`];
        return [`[${profile}]`, ...lines, `region = ${session.settings.region}`].join('\n');
      }
      const made = { UserName: name, AccessKeyId: id, Status: 'Active', SecretAccessKey: secret };
      return { AccessKey: { ...made, CreateDate: timestamp(at) } };
    },
  ),
  change(
    'update-access-key',
    'make an access key inactive, or active again',
    { accessKeyId, status: oneOf(['Active', 'Inactive'], 'whether requests may be signed with it'), userName: owner },
    (iam, values) => iam.accessKeys.setActive(values.accessKeyId, values.userName, values.status === 'Active'),
  ),
  query(
    'list-access-keys',
    'list the access keys of a user, or of all, and when they were last used',
    { userName: owner },
    async (iam, values) => ({
      AccessKeyMetadata: (await iam.accessKeys.list(values.userName)).map((record) => ({
        ...accessKey(record),
        AccessKeyLastUsed: accessKeyLastUsed(record),
      })),
    }),
  ),
  query('get-access-key-last-used', 'tell when an access key was last used', { accessKeyId }, async (iam, values) => {
    const record = await iam.accessKeys.get(values.accessKeyId);
    return { UserName: record.userName, AccessKeyLastUsed: accessKeyLastUsed(record) };
  }),
  change('delete-access-key', 'delete an access key', { accessKeyId, userName: owner }, (iam, values) =>
    iam.accessKeys.delete(values.accessKeyId, values.userName),
  ),
];
