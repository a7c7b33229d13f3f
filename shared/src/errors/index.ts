export { AppError, toAppError, unavailable, type FieldError } from './app-error.ts';
export { errorRegistry, type ErrorCode, type ErrorKind } from './registry.ts';
