export { createAdminApp, type ReadinessCheck } from './admin-app.ts';
export type { SentAnswer } from './watch-answer.ts';
export { bareApp, closeApp, createApp, healthHandler } from './create-app.ts';
export {
  entityTag,
  isUnchanged,
  refuseOtherVersion,
  requireVersion,
  shownBy,
} from './entity-tag.ts';
export {
  closeServer,
  createHttpServer,
  endSocket,
  listen,
  publicHeadLimits,
  type HeadLimits,
} from './listen.ts';
export { sendProblem, toProblem } from './problem.ts';
export {
  maxBodyBytes,
  readBearerToken,
  route,
  type Access,
  type Route,
  type RouteContext,
} from './route.ts';
