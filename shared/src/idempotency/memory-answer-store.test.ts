import { describe } from '@jest/globals';
import { answerStoreSuite } from '../testing/answer-store-suite.ts';
import { createMemoryAnswerStore } from './memory-answer-store.ts';

describe('the answer store in memory', () => {
  const store = createMemoryAnswerStore();
  answerStoreSuite(() => store);
});
