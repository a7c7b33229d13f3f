export {
  createLogger,
  currentContext,
  withContext,
  type Logger,
  type RequestContext,
} from './logger.ts';
