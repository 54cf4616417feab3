import type { AccessKeyRecord } from '../../authorization/iam/access-keys.js';
import type { ManagedPolicy } from '../../authorization/iam/managed-policies.js';
import type { PrincipalRow, Tags } from '../../authorization/iam/principals.js';

/** An instant as the AWS CLI prints it. */
export function timestamp(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, '+00:00');
}

/** A policy as the AWS CLI prints it: as JSON; one that is broken as the text that it is. */
export function documentOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function tagList(tags: Tags): { Key: string; Value: string }[] {
  return [...tags].map(([Key, Value]) => ({ Key, Value }));
}

/** @param tags where the answer tells of tags and boundary, too: not in lists */
export function user(row: PrincipalRow, tags?: Tags) {
  return {
    Path: row.path,
    UserName: row.name,
    UserId: row.unique_id,
    Arn: row.arn,
    CreateDate: timestamp(new Date(row.created_at)),
    ...(tags && details(row, tags)),
  };
}

/** @param tags where the answer tells of tags and boundary, too: not in lists */
export function role(row: PrincipalRow, tags?: Tags) {
  return {
    Path: row.path,
    RoleName: row.name,
    RoleId: row.unique_id,
    Arn: row.arn,
    CreateDate: timestamp(new Date(row.created_at)),
    AssumeRolePolicyDocument: documentOf(row.trust_policy ?? ''),
    ...(row.description !== null && { Description: row.description }),
    MaxSessionDuration: row.max_session_seconds,
    ...(tags && details(row, tags)),
  };
}

function details({ permissions_boundary: boundary }: PrincipalRow, tags: Tags) {
  return {
    ...(boundary !== null && {
      PermissionsBoundary: { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: boundary },
    }),
    ...(tags.size > 0 && { Tags: tagList(tags) }),
  };
}

/** @param holders how many users and roles have it attached, and as the boundary of their permissions */
export function managedPolicy(policy: ManagedPolicy, holders: { attached: number; boundaryOf: number }) {
  return {
    PolicyName: policy.name,
    PolicyId: policy.uniqueId,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: `v${policy.version}`,
    AttachmentCount: holders.attached,
    PermissionsBoundaryUsageCount: holders.boundaryOf,
    IsAttachable: true,
    ...(policy.description !== undefined && { Description: policy.description }),
    CreateDate: timestamp(policy.createdAt),
    UpdateDate: timestamp(policy.updatedAt),
  };
}

export function policyVersion(policy: ManagedPolicy) {
  return { VersionId: `v${policy.version}`, IsDefaultVersion: true, CreateDate: timestamp(policy.updatedAt) };
}

export function accessKey({ userName, accessKeyId, active, createdAt }: AccessKeyRecord) {
  const Status = active ? 'Active' : 'Inactive';
  return { UserName: userName, AccessKeyId: accessKeyId, Status, CreateDate: timestamp(createdAt) };
}

export function accessKeyLastUsed({ lastUsed }: AccessKeyRecord) {
  if (lastUsed === undefined) return { ServiceName: 'N/A', Region: 'N/A' };
  return { LastUsedDate: timestamp(lastUsed.at), ServiceName: lastUsed.service, Region: lastUsed.region };
}
