import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { readApiDocument } from './e2e/api-document.ts';
import { requestsOf } from './e2e/request-arbitraries.ts';
const doc = JSON.parse(readFileSync('gateway/src/pages/openapi.json','utf8'));
console.log('a');
const ops = await readApiDocument({ api: { call: async () => ({ body: doc }) } } as any);
console.log('b');
for (const op of ops) { console.log(op.operationId); const t = performance.now(); fc.sample(requestsOf(op), { numRuns: 20, seed: 1 }); }
