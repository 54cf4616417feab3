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
 * Makes the records of requests, CloudTrail's, as JSON. What many have in common is made once: each piece of a text costs,
 * also when the garbage is collected.
 */
export class RequestRecords {
  private readonly region: string;
  private readonly end: string;
  private readonly keyStart: string;
  /** By operation: what it is. */
  private readonly starts = new Map<string, string>();
  private ip: string | undefined;
  private userAgent: string | undefined;
  private sourceText = '';
  private keyArn: string | undefined;
  private keyText = '';

  constructor({ region, accountId }: AuditedHome) {
    const end = { eventType: 'AwsApiCall', managementEvent: true, recipientAccountId: accountId };
    this.end = `,${JSON.stringify({ ...end, eventCategory: 'Management' }).slice(1, -1)}`;
    this.keyStart = `{"accountId":"${accountId}","type":"AWS::KMS::Key","ARN":`;
    this.region = JSON.stringify(region);
  }

  /** @returns JSON of an object */
  record(request: EndedRequest): string {
    const { id, service, principal, accessKeyId, source, tls, trail, error } = request;
    const operation = request.operation ?? 'Unknown';
    const who = principal ? userIdentity(principal, accessKeyId) : unknownIdentity;
    const { parameters, elements, resources } =
      service === 'kms' ? this.ofKms(operation, trail) : ofSts(operation, trail);
    return (
      `${this.startOf(service, operation)}${who},"eventTime":"${isoTime(request.receivedAt)}"${this.sourceOf(source)}` +
      `${error ? errorText(error) : ''},"requestParameters":${parameters},"responseElements":${error ? 'null' : elements}` +
      `,"additionalEventData":${additional(request)},"requestID":"${id}","eventID":"${randomUUID()}"` +
      `,"resources":${resources}${this.end}${tls ? tlsText(tls) : ''}}`
    );
  }

  private startOf(service: EndedRequest['service'], operation: string): string {
    const name = `${service}.${operation}`;
    const known = this.starts.get(name);
    if (known !== undefined) return known;
    const readOnly = service === 'kms' ? isReadOnly(operation as OperationName) : operation !== 'AssumeRole';
    const start =
      `{"eventVersion":"${eventVersion}","eventSource":"${service}.amazonaws.com","eventName":"${operation}",` +
      `"readOnly":${readOnly},"awsRegion":${this.region},"userIdentity":`;
    this.starts.set(name, start);
    return start;
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
  private sourceOf({ ip, userAgent }: EndedRequest['source']): string {
    if (ip !== this.ip || userAgent !== this.userAgent) {
      this.ip = ip;
      this.userAgent = userAgent;
      const agent = userAgent === undefined ? 'null' : JSON.stringify(userAgent.slice(0, mostUserAgent));
      this.sourceText = `,"sourceIPAddress":${JSON.stringify(ip)},"userAgent":${agent}`;
    }
    return this.sourceText;
  }
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
