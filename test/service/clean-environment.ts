/** The environment without what would configure the service, or its clients, from outside. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(HSM_KMS_|AWS_|OTEL_|SOFTHSM2_|DATABASE_URL|NODE_)/.test(name),
  );
  return Object.fromEntries(kept);
}
