/**
 * More changes than are made between an archive and the end of its restoration: no process takes old for new, and the
 * audit log's checkpoints are not of later changes than the store's.
 */
export const revisionStep = 2 ** 30;
