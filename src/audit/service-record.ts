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

/** Whose operations commands do. */
export type CommandEventSource = 'iam.amazonaws.com' | 'kms.amazonaws.com';

/** Makes the records of what the service does by itself, as JSON. */
export class ServiceRecords {
  constructor(private readonly home: AuditedHome) {}

  /** @param details never secrets */
  ofService(name: ServiceEventName, details?: object): string {
    return this.record('hsm-kms', name, { serviceEventDetails: details });
  }

  /** @param arn of the key that something was done to */
  ofKey(name: KeyEventName, arn: string, details: object): string {
    const { accountId } = this.home;
    const resources = [{ accountId, type: 'AWS::KMS::Key', ARN: arn }];
    return this.record('kms.amazonaws.com', name, { resources, serviceEventDetails: details });
  }

  /** @param details never secrets */
  ofCommand(
    source: CommandEventSource,
    name: string,
    requestParameters: object,
    details: object,
    error: Error | undefined,
  ): string {
    const failure = error && { errorCode: codeOf(error), errorMessage: error.message.slice(0, 1_024) };
    return this.record(source, name, { requestParameters, ...failure, serviceEventDetails: details });
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
