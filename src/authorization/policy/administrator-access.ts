import { type PolicyDocument, parsePolicy } from './document.js';

/** The identity policy of an administrator: AWS's managed policy AdministratorAccess. */
export const administratorAccess: PolicyDocument = parsePolicy(
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
  'identity',
);
