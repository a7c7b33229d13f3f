// Three levels, one project each: `*.test.ts` pure, `*.int.test.ts` real stores, `*.e2e.test.ts`
// the whole system. tools/test.ts starts the servers that the last two need.
const level = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  displayName,
  testMatch,
  testPathIgnorePatterns: ['/node_modules/', '/.quicksale/', ...testPathIgnorePatterns],
  modulePathIgnorePatterns: ['<rootDir>/.quicksale/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': '<rootDir>/tools/strip-types.mjs',
  },
  testEnvironment: 'node',
  // Not in TMPDIR, which is a new folder for each run of the tests.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
});

export default {
  testSequencer: '<rootDir>/tools/longest-first.mjs',
  projects: [
    level('unit', ['**/*.test.ts'], ['\\.int\\.test\\.ts$', '\\.e2e\\.test\\.ts$']),
    level('int', ['**/*.int.test.ts']),
    level('e2e', ['**/*.e2e.test.ts']),
  ],
};
