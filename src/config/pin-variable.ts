/** The environment variable that may hold the PIN of the service's own token. It is no setting: nothing prints it. */
export const pinVariable = 'HSM_KMS_TOKEN_PIN';
