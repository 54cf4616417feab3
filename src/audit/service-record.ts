import { randomUUID } from 'node:crypto';
import { version } from '../config/version.js';
import { isoTime } from './iso-time.js';
import { type AuditedHome, eventVersion } from './request-record.js';

/** What the service does by itself with keys, as AWS KMS calls it. */
export type KeyEventName = 'RotateKey' | 'DeleteKey' | 'DeleteExpiredKeyMaterial';

/** What becomes of the service itself. */
export type ServiceEventName =
  | 'StartStream'
  | 'EndStream'
  | 'StartService'
  | 'StopService'
  | 'LoadConfiguration'
  | 'ReplaceWorker'
  | 'LoseToken'
  | 'FindToken'
  | 'ChangeDiskState'
  | 'RecoverStream'
  | 'RemoveAuditFiles'
  | 'ResumeAudit';

/** Whose operations commands do: those that AWS does not have are the service's own. */
export type CommandEventSource = 'iam.amazonaws.com' | 'kms.amazonaws.com' | 'hsm-kms';

/** What came of a command. */
export interface CommandOutcome {
  /** Never secrets. */
  readonly responseElements?: object;
  /** ARNs of keys that it was about. */
  readonly keys?: readonly string[];
  readonly error?: Error;
}

/** Makes the records of what the service does by itself, as JSON. */
export class ServiceRecords {
  constructor(private readonly home: AuditedHome) {}

  /** @param details never secrets */
  ofService(name: ServiceEventName, details?: object): string {
    return this.record('hsm-kms', name, { serviceEventDetails: details });
  }

  /** @param arn of the key that something was done to */
  ofKey(name: KeyEventName, arn: string, details: object): string {
    return this.record('kms.amazonaws.com', name, { resources: this.resources([arn]), serviceEventDetails: details });
  }

  /** @param details never secrets */
  ofCommand(
    source: CommandEventSource,
    name: string,
    requestParameters: object,
    details: object,
    { responseElements, keys = [], error }: CommandOutcome,
  ): string {
    return this.record(source, name, {
      requestParameters,
      ...(responseElements && { responseElements }),
      ...(error && { errorCode: codeOf(error), errorMessage: error.message.slice(0, 1_024) }),
      ...(keys.length > 0 && { resources: this.resources(keys) }),
      serviceEventDetails: details,
    });
  }

  private resources(arns: readonly string[]): object[] {
    const { accountId } = this.home;
    return arns.map((ARN) => ({ accountId, type: 'AWS::KMS::Key', ARN }));
  }

  private record(eventSource: string, eventName: string, more: object): string {
    const { region, accountId } = this.home;
    return JSON.stringify({
      eventVersion,
      userIdentity: { accountId, invokedBy: 'hsm-kms' },
      eventTime: isoTime(Date.now()),
      ...{ eventSource, eventName, awsRegion: region },
      ...{ sourceIPAddress: 'hsm-kms', userAgent: `hsm-kms/${version}` },
      ...{ requestParameters: null, responseElements: null, eventID: randomUUID(), readOnly: false },
      ...more,
      ...{ eventType: 'AwsServiceEvent', managementEvent: true, recipientAccountId: accountId },
      eventCategory: 'Management',
    });
  }
}

/** As IAM has it, or the error's own name. */
function codeOf(error: Error): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
