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

/** What many records begin with, and what it was made of. */
interface Beginning {
  readonly who: string;
  readonly where: string;
  readonly why: string;
  readonly bytes: Uint8Array;
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
  /** By service and operation: the last of them. */
  private readonly beginnings = { kms: new Map<string, Beginning>(), sts: new Map<string, Beginning>() };
  private ip: string | undefined;
  private userAgent: string | undefined;
  private tls: EndedRequest['tls'];
  private whereText = '';
  private keyArn: string | undefined;
  private keyText = '';
  private decision: Decision | undefined;
  private whyText = '';

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
      beginning: this.beginningOf(service, operation, who, this.whereOf(request), this.whyOf(trail.decision)),
      // behind the brace of additionalEventData
      rest:
        `"milliseconds":${inThousandths(request.milliseconds)}${claimedText(request)}},"eventTime":"` +
        `${isoTime(request.receivedAt)}"${error ? errorText(error) : ''}` +
        `,"requestParameters":${parameters},"responseElements":${error ? 'null' : elements}` +
        `,"requestID":"${id}","eventID":"${randomUUID()}","resources":${resources}`,
    };
  }

  /** Up to the first member that differs between the requests of one client for one operation. */
  private beginningOf(
    service: EndedRequest['service'],
    operation: string,
    who: string,
    where: string,
    why: string,
  ): Uint8Array {
    const known = this.beginnings[service].get(operation);
    if (known?.who === who && known.where === where && known.why === why) return known.bytes;
    const readOnly = service === 'kms' ? isReadOnly(operation as OperationName) : operation !== 'AssumeRole';
    const bytes = Buffer.from(
      `{"eventVersion":"${eventVersion}","eventSource":"${service}.amazonaws.com","eventName":"${operation}",` +
        `"readOnly":${readOnly},${this.homeText},"userIdentity":${who},${where},"additionalEventData":{${why}`,
    );
    this.beginnings[service].set(operation, { who, where, why, bytes });
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

  private whyOf(decision: Decision | undefined): string {
    if (decision === undefined) return '';
    if (this.decision === undefined || !isSameDecision(decision, this.decision)) {
      this.decision = decision;
      this.whyText = decisionText(decision);
    }
    return this.whyText;
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

function isSameDecision(one: Decision, other: Decision): boolean {
  return (
    one.decision === other.decision &&
    one.reason === other.reason &&
    one.grantId === other.grantId &&
    one.statement?.sid === other.statement?.sid &&
    one.statement?.index === other.statement?.index
  );
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

function claimedText({ accessKeyIdClaimed }: EndedRequest): string {
  return accessKeyIdClaimed === undefined ? '' : `,"accessKeyIdClaimed":"${accessKeyIdClaimed}"`;
}

/** A number with three digits after the point: the text of an integer costs a fraction of that of any other. */
function inThousandths(value: number): string {
  const thousandths = Math.round(value * 1000);
  const rest = thousandths % 1000;
  return `${(thousandths - rest) / 1000}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`;
}

function decisionText({ decision, reason, statement, grantId }: Decision): string {
  const by = statement ? `,"statement":${JSON.stringify(statement.sid ?? statement.index)}` : '';
  const grant = grantId === undefined ? '' : `,"grantId":"${grantId}"`;
  return `"decision":{"decision":"${decision}","reason":"${reason}"${by}${grant}},`;
}
