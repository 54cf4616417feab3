import { randomUUID } from 'node:crypto';
import type { CreateKeyResponse } from '@aws-sdk/client-kms';
import type { Decision } from '../authorization/policy/decide.js';
import type { Principal } from '../authorization/principal.js';
import type { RequestSource } from '../authorization/request-source.js';
import type { OperationName } from '../contract/operation-types.js';
import { isoTime } from './iso-time.js';
import { isReadOnly, requestParameters, responseElements } from './shown-members.js';
import { actionElements, actionParameters, actionResources } from './shown-parameters.js';
import { unknownIdentity, userIdentity } from './user-identity.js';
import type { RecordText } from './waiting-events.js';

/** What was learned about a request on its way: each part when it was known. */
export interface RequestTrail {
  /** As the contract made it of the request: undefined for one that does not fit. */
  input: unknown;
  output: unknown;
  /** ARNs of the keys that were found. */
  keys: readonly string[];
  /** On the last permission that was asked for. */
  decision: Decision | undefined;
}

/** A request that is over, or whose answer is about to leave. */
export interface EndedRequest {
  readonly id: string;
  readonly service: 'kms' | 'sts';
  /** Of the operation or the action; undefined when the request names none that there is. */
  readonly operation: string | undefined;
  /** When it came, in milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly milliseconds: number;
  /** Undefined when nobody knows. */
  readonly principal: Principal | undefined;
  readonly accessKeyId: string | undefined;
  /** What a request says that nobody could be told to have made. */
  readonly accessKeyIdClaimed: string | undefined;
  readonly source: Pick<RequestSource, 'ip' | 'userAgent'>;
  readonly tls: { readonly version: string; readonly cipherSuite: string } | undefined;
  readonly trail: RequestTrail;
  readonly error: { readonly code: string; readonly message: string | undefined } | undefined;
}

/** Whose events they are. */
export interface AuditedHome {
  readonly region: string;
  readonly accountId: string;
}

const mostUserAgent = 1_024;
const mostMessage = 1_024;
export const eventVersion = '1.11';

/**
 * Makes the records of requests, CloudTrail's, as JSON. What many have in common comes first and is made once, as the
 * bytes that are written: each piece of a text costs, also when the garbage is collected.
 */
export class RequestRecords {
  private readonly homeText: string;
  private readonly keyStart: string;
  /** By operation: the last of them. */
  private readonly beginnings = new Map<string, { who: string; where: string; bytes: Uint8Array }>();
  private ip: string | undefined;
  private userAgent: string | undefined;
  private tls: EndedRequest['tls'];
  private whereText = '';
  private keyArn: string | undefined;
  private keyText = '';

  constructor({ region, accountId }: AuditedHome) {
    const home = { awsRegion: region, eventType: 'AwsApiCall', managementEvent: true, recipientAccountId: accountId };
    this.homeText = JSON.stringify({ ...home, eventCategory: 'Management' }).slice(1, -1);
    this.keyStart = `{"accountId":"${accountId}","type":"AWS::KMS::Key","ARN":`;
  }

  record(request: EndedRequest): RecordText {
    const { id, service, principal, accessKeyId, trail, error } = request;
    const operation = request.operation ?? 'Unknown';
    const who = principal ? userIdentity(principal, accessKeyId) : unknownIdentity;
    const { parameters, elements, resources } =
      service === 'kms' ? this.ofKms(operation, trail) : ofSts(operation, trail);
    return {
      beginning: this.beginningOf(service, operation, who, this.whereOf(request)),
      rest:
        `"eventTime":"${isoTime(request.receivedAt)}"${error ? errorText(error) : ''}` +
        `,"requestParameters":${parameters},"responseElements":${error ? 'null' : elements}` +
        `,"additionalEventData":${additional(request)},"requestID":"${id}","eventID":"${randomUUID()}"` +
        `,"resources":${resources}}`,
    };
  }

  /** Up to the first member that differs between the requests of one client for one operation. */
  private beginningOf(service: EndedRequest['service'], operation: string, who: string, where: string): Uint8Array {
    const name = `${service}.${operation}`;
    const known = this.beginnings.get(name);
    if (known?.who === who && known.where === where) return known.bytes;
    const readOnly = service === 'kms' ? isReadOnly(operation as OperationName) : operation !== 'AssumeRole';
    const bytes = Buffer.from(
      `{"eventVersion":"${eventVersion}","eventSource":"${service}.amazonaws.com","eventName":"${operation}",` +
        `"readOnly":${readOnly},${this.homeText},"userIdentity":${who},${where},`,
    );
    this.beginnings.set(name, { who, where, bytes });
    return bytes;
  }

  private ofKms(operation: string, { input, output, keys: found }: RequestTrail) {
    // of CreateKey: there was none before
    const made = (output as CreateKeyResponse | undefined)?.KeyMetadata?.Arn;
    const keys = found.length === 0 && made !== undefined ? [made] : found;
    return {
      parameters: input === undefined ? 'null' : requestParameters(operation as OperationName, input),
      elements: responseElements(operation as OperationName, output),
      resources: keys.length === 0 ? '[]' : this.resources(keys),
    };
  }

  private resources(arns: readonly string[]): string {
    const [arn] = arns;
    if (arns.length === 1 && arn === this.keyArn) return this.keyText;
    this.keyText = `[${arns.map((each) => `${this.keyStart}${JSON.stringify(each)}}`).join(',')}]`;
    this.keyArn = arns.length === 1 ? arn : undefined;
    return this.keyText;
  }

  /** Clients send the same again and again. */
  private whereOf({ source: { ip, userAgent }, tls }: EndedRequest): string {
    if (ip !== this.ip || userAgent !== this.userAgent || !isSame(tls, this.tls)) {
      this.ip = ip;
      this.userAgent = userAgent;
      this.tls = tls;
      const agent = userAgent === undefined ? 'null' : JSON.stringify(userAgent.slice(0, mostUserAgent));
      this.whereText = `"sourceIPAddress":${JSON.stringify(ip)},"userAgent":${agent}${tls ? tlsText(tls) : ''}`;
    }
    return this.whereText;
  }
}

function isSame(one: EndedRequest['tls'], other: EndedRequest['tls']): boolean {
  return one === other || (one?.version === other?.version && one?.cipherSuite === other?.cipherSuite);
}

function ofSts(operation: string, { input, output }: RequestTrail) {
  return {
    parameters: actionParameters(operation, input),
    elements: actionElements(operation, output),
    resources: actionResources(operation, input),
  };
}

function errorText({ code, message }: NonNullable<EndedRequest['error']>): string {
  const text =
    message === undefined ? '' : `,"errorMessage":${JSON.stringify(withoutValues(message).slice(0, mostMessage))}`;
  return `,"errorCode":"${code}"${text}`;
}

/** The contract's words repeat what does not fit, which may be a grant token. */
function withoutValues(message: string): string {
  return message.replace(/\bValue '.*?' at '(?=[\w.]+' failed to satisfy)/gs, "Value at '");
}

function tlsText({ version, cipherSuite }: NonNullable<EndedRequest['tls']>): string {
  return `,"tlsDetails":{"tlsVersion":"${version}","cipherSuite":"${cipherSuite}"}`;
}

function additional({ trail: { decision }, milliseconds, accessKeyIdClaimed }: EndedRequest): string {
  const text = decision ? `{"decision":${decisionText(decision)},` : '{';
  const claimed = accessKeyIdClaimed === undefined ? '' : `,"accessKeyIdClaimed":"${accessKeyIdClaimed}"`;
  return `${text}"milliseconds":${Math.round(milliseconds * 1000) / 1000}${claimed}}`;
}

function decisionText({ decision, reason, statement, grantId }: Decision): string {
  const by = statement ? `,"statement":${JSON.stringify(statement.sid ?? statement.index)}` : '';
  const grant = grantId === undefined ? '' : `,"grantId":"${grantId}"`;
  return `{"decision":"${decision}","reason":"${reason}"${by}${grant}}`;
}
