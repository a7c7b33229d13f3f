export { faultKinds, findFaultKinds } from './nemesis/schedule.ts';
export { printReport } from './print-report.ts';
export { runChaos, type ChaosOptions, type ChaosReport } from './run-chaos.ts';
