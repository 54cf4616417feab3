import type { Selectable } from 'kysely';
import type { AccessKeysTable } from '../../store/schema.js';
import { noSuchEntity, quotaExceeded } from './iam-error.js';
import type { IamPlace } from './iam-place.js';
import type { Principals } from './principals.js';

/** What is told of an access key: not its secret. */
export interface AccessKeyRecord {
  readonly accessKeyId: string;
  readonly userName: string;
  readonly active: boolean;
  readonly createdAt: Date;
  /** As of some seconds ago: it is written now and then. */
  readonly lastUsed: { readonly at: Date; readonly service: string; readonly region: string } | undefined;
}

const accessKeysPerUser = 2;

/** The access keys of users. */
export class AccessKeys {
  constructor(
    private readonly place: IamPlace,
    private readonly users: Principals,
  ) {}

  /**
   * @param sealedSecret sealed for `purposeOfSecret(accessKeyId)`
   * @throws IamError NoSuchEntity; LimitExceeded when the user has two
   */
  async create(userName: string, accessKeyId: string, sealedSecret: Buffer, at: Date): Promise<void> {
    const { arn } = await this.users.get(userName);
    if ((await this.list(userName)).length >= accessKeysPerUser) {
      throw quotaExceeded('AccessKeysPerUser', accessKeysPerUser);
    }
    await this.place.insert('access_keys', {
      id: accessKeyId,
      principal_arn: arn,
      sealed_secret: sealedSecret,
      active: 1,
      created_at: at.getTime(),
      last_used_at: null,
      last_used_service: null,
      last_used_region: null,
    });
  }

  /** In the order of their making. @param userName undefined for those of all users. @throws IamError NoSuchEntity */
  async list(userName?: string): Promise<AccessKeyRecord[]> {
    const user = userName === undefined ? undefined : await this.users.get(userName);
    const rows = await this.rows()
      .$if(user !== undefined, (query) => query.where('principal_arn', '=', user?.arn ?? ''))
      .execute();
    return rows.map(fromRow);
  }

  /** @param userName whose it is, if given. @throws IamError NoSuchEntity */
  async get(accessKeyId: string, userName?: string): Promise<AccessKeyRecord> {
    if (userName !== undefined) await this.users.get(userName);
    const row = await this.rows().where('access_keys.id', '=', accessKeyId).executeTakeFirst();
    if (row && (userName === undefined || userName === row.name)) return fromRow(row);
    throw noSuchEntity(`The Access Key with id ${accessKeyId} cannot be found.`);
  }

  /** @throws IamError NoSuchEntity */
  async setActive(accessKeyId: string, userName: string | undefined, active: boolean): Promise<void> {
    await this.get(accessKeyId, userName);
    await (await this.place.find('access_keys', accessKeyId))?.set({ active: active ? 1 : 0 });
  }

  /** @throws IamError NoSuchEntity */
  async delete(accessKeyId: string, userName?: string): Promise<void> {
    await this.get(accessKeyId, userName);
    await this.place.delete('access_keys', accessKeyId);
  }

  private rows() {
    return this.place.db
      .selectFrom('access_keys')
      .innerJoin('principals', 'principals.arn', 'access_keys.principal_arn')
      .select(['access_keys.id', 'principals.name', 'access_keys.active', 'access_keys.created_at'])
      .select(['last_used_at', 'last_used_service', 'last_used_region'])
      .orderBy('access_keys.created_at')
      .orderBy('access_keys.id');
  }
}

type Row = Omit<Selectable<AccessKeysTable>, 'principal_arn' | 'sealed_secret' | 'seal'> & { readonly name: string };

function fromRow(row: Row): AccessKeyRecord {
  const { last_used_at: at, last_used_service: service, last_used_region: region } = row;
  return {
    accessKeyId: row.id,
    userName: row.name,
    active: row.active === 1,
    createdAt: new Date(row.created_at),
    lastUsed: at === null ? undefined : { at: new Date(at), service: service ?? '', region: region ?? '' },
  };
}
