// Health check of a container: is the one process in it ready? A refused connection ends it with 1 too.
const variable = Object.keys(process.env).find((name) => name.endsWith('_ADMIN_PORT'));
if (variable === undefined) throw new Error('no <SERVICE>_ADMIN_PORT is set');
const url = `http://127.0.0.1:${process.env[variable]}/readyz`;
const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) });
process.exitCode = answer.ok ? 0 : 1;
