export { faultPoint, faultPointSoon, type FaultPoint } from './fault-point.ts';
export { createSystemRandom, systemClock, type Clock, type Random } from './ports.ts';
export { repeat } from './repeat.ts';
export type { Repair } from './repairs.ts';
export { runService } from './run-service.ts';
export {
  composeService,
  createMetrics,
  httpPart,
  type HttpPart,
  type Part,
  type Service,
} from './service.ts';
