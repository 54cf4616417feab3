import {
  type DataTypeNode,
  type KyselyPlugin,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryResult,
  RawNode,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely';

/**
 * What PostgreSQL calls the types of our migrations. Text is compared by its bytes, as SQLite does it: the order of a
 * locale changes with the system's libraries, and with it what an index finds.
 */
const types: Readonly<Record<string, string>> = { text: 'text collate "C"', blob: 'bytea', integer: 'bigint' };

class ColumnTypes extends OperationNodeTransformer {
  protected override transformDataType(node: DataTypeNode): DataTypeNode {
    const type = typeof node.dataType === 'string' ? types[node.dataType] : undefined;
    // where a data type stands, Kysely takes raw SQL as well
    return type === undefined ? node : (RawNode.createWithSql(type) as unknown as DataTypeNode);
  }
}

/** Lets migrations that were written for SQLite make the same schema in PostgreSQL. */
export class PostgresColumnTypes implements KyselyPlugin {
  private readonly transformer = new ColumnTypes();

  transformQuery({ node }: PluginTransformQueryArgs): RootOperationNode {
    return this.transformer.transformNode(node);
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return result;
  }
}
