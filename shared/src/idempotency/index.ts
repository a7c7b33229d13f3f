export { createAnswerOnce, type AnswerOnce } from './answer-once.ts';
export type { AnswerStore, Begun, KeyClaim, StoredAnswer } from './answer-store.ts';
export { idempotencyDigest, requestFingerprint } from './key-digest.ts';
export { createAnswerIndexes, createMongoAnswerStore } from './mongo-answer-store.ts';
