// The import law: which room may look into which.
const services =
  '(gateway|auth-service|inventory-service|order-service|kafka-processor|notifier-service)';
const test = '(\\.test\\.ts$|/test/|^e2e/)';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'services-know-no-service',
      severity: 'error',
      from: { path: `^${services}/`, pathNot: test },
      to: { path: `^${services}/`, pathNot: '^$1/' },
    },
    {
      name: 'shared-knows-no-service',
      severity: 'error',
      from: { path: '^shared/src/' },
      to: { path: `^(${services}|local-stack|cli|loadtest)/` },
    },
    {
      name: 'only-the-simulation-looks-into-services',
      comment: 'it runs their use cases on stores of its own; others meet them as processes',
      severity: 'error',
      from: { pathNot: `(^${services}/|^loadtest/src/simulation/|${test})` },
      to: { path: `^${services}/src/`, pathNot: '/(routes|config|service|main)\\.ts$' },
    },
    {
      name: 'kafkajs-only-in-the-bus',
      severity: 'error',
      from: {
        pathNot: '^(shared/src/bus/|local-stack/|loadtest/src/chaos/|e2e/|.*\\.int\\.test\\.ts$)',
      },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'rules-are-pure',
      comment: 'order.ts, facts and the like decide; they never talk to a store or a framework',
      severity: 'error',
      from: { path: '^shared/src/orders/(order|apply-fact|order-from-hold|creation-answer)\\.ts$' },
      to: { path: 'node_modules/(express|mongoose|kafkajs|ioredis|bullmq)' },
    },
    {
      name: 'errors-import-nothing',
      severity: 'error',
      from: { path: '^shared/src/errors/', pathNot: test },
      to: { pathNot: '^shared/src/errors/' },
    },
    {
      name: 'contracts-import-zod-only',
      severity: 'error',
      from: { path: '^shared/src/contracts/', pathNot: test },
      to: { pathNot: '^(shared/src/contracts/|node_modules/zod)' },
    },
    {
      name: 'routes-and-consumers-know-no-adapter',
      severity: 'error',
      from: { path: '\\.(routes|consumer)\\.ts$' },
      to: { path: '/(mongo|redis)-[a-z-]+\\.ts$' },
    },
    {
      name: 'imports-are-declared',
      comment: 'each workspace names what its production code imports',
      severity: 'error',
      from: { path: '/src/', pathNot: `(${test}|^shared/src/testing/)` },
      to: { path: 'node_modules', dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    { name: 'nobody-imports-main', severity: 'error', from: {}, to: { path: '/main\\.ts$' } },
    {
      name: 'only-main-and-tests-build-a-service',
      severity: 'error',
      from: { pathNot: `(/main\\.ts$|${test})` },
      to: { path: `^${services}/src/service\\.ts$` },
    },
    {
      name: 'production-uses-no-test-code',
      severity: 'error',
      from: { pathNot: `(${test}|^shared/src/testing/)` },
      to: { path: '^shared/src/testing/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.quicksale' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
