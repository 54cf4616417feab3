/* Before each suite of scripts/everything.config.mjs: names the token and the database that it is to run over. */
Object.assign(process.env, globalThis.tested);
