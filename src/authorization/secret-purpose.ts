/** What a secret access key is sealed for: a sealed one is good for its own access key id only. */
export function purposeOfSecret(accessKeyId: string): string {
  return `secret access key of ${accessKeyId}`;
}
