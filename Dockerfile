# hsm-kms with SoftHSM2: `docker run -p 127.0.0.1:8080:8080 IMAGE` serves. docs/containers.md says the rest.
# Built alike by the classic builder and by BuildKit, so it uses nothing that only one of them has.
ARG NODE_VERSION=20

# The packages that run, with the native addons compiled, and of these neither C sources nor objects.
FROM node:${NODE_VERSION}-bookworm-slim AS packages
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 make g++ \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
# Compiled against the image's own headers: nothing but the npm registry is asked for anything. -O2 is what SQLite
# recommends; the addon's own -O3 takes a quarter longer to compile.
RUN export npm_config_nodedir=/usr/local npm_config_build_from_source=true npm_config_jobs=max CFLAGS=-O2 CXXFLAGS=-O2 \
 && npm ci --omit=dev --ignore-scripts=false --no-audit --no-fund --no-update-notifier \
 && cd node_modules \
 && mkdir /addons \
 && cp --parents better-sqlite3/build/Release/better_sqlite3.node pkcs11js/build/Release/pkcs11.node /addons \
 && for addon in better-sqlite3 pkcs11js; do \
      for part in build deps includes src; do rm -rf $addon/$part; done; \
    done \
 && cp --recursive /addons/. . \
 && rm -rf /addons /root/.npm /root/.cache /tmp/* \
 && find . -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' \) -delete \
 && node --eval "require('better-sqlite3')(':memory:'); require('pkcs11js')"

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# the largest of what a build does not need is not made a layer of
RUN npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier \
 && rm -rf /root/.npm node_modules/@biomejs node_modules/@swc node_modules/@typescript
COPY tsconfig.json ./
COPY scripts/bundle.mjs scripts/
COPY src src
RUN node scripts/bundle.mjs && rm -r dist/testcontainers

FROM node:${NODE_VERSION}-bookworm-slim
# npm is not needed to run; without it there is less to keep up to date
RUN apt-get update \
 && apt-get install --yes --no-install-recommends softhsm2 \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old \
      /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* /usr/local/include/node \
 && ln -s /app/dist/cli/main.js /usr/local/bin/hsm-kms \
 && install --directory --owner=node --group=node --mode=0700 /data
WORKDIR /app
COPY LICENSE package.json ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist

# Plain HTTP on all of the container's addresses: who publishes the port decides who reaches it. Publish it on a
# loopback address of the host, or give the service a certificate (HSM_KMS_TLS_CERTIFICATE_FILE, HSM_KMS_TLS_KEY_FILE).
# A stop waits for requests less long than the ten seconds after which Docker kills. `container` is what systemd and
# Podman name the kind of a container with; the first steps that are printed depend on it.
ENV NODE_ENV=production \
    HSM_KMS_DATA_DIR=/data \
    HSM_KMS_HOST=0.0.0.0 \
    HSM_KMS_PORT=8080 \
    HSM_KMS_ALLOW_PLAIN_HTTP=true \
    HSM_KMS_DRAIN_MILLISECONDS=7000 \
    container=oci
VOLUME /data
EXPOSE 8080
# in numbers, so that Kubernetes can see that it is not root: this is the user node
USER 1000:1000
ENTRYPOINT ["hsm-kms"]
CMD ["serve", "--init", "--first-steps"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["hsm-kms", "health"]

ARG REVISION=unknown
LABEL org.opencontainers.image.title="hsm-kms" \
      org.opencontainers.image.description="The AWS KMS API over the PKCS#11 token that you own" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}"
